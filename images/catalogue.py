"""What images there are, and what the large things in them are for."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Image:
    """One target of ``images/Dockerfile``."""

    name: str
    services: tuple[str, ...]
    """Services of the fleet that run it, all but ``training``'s."""
    helps: tuple[str, ...] = ("--help",)
    """Arguments after the entry point that start it, print something and end."""


IMAGES = (
    Image("broker", ("init",)),
    Image("twin", ("twin",)),
    Image("edge", ("edge",)),
    Image("cloud", ("provisioner",)),
    Image("dashboard", ("dashboard",)),
    Image("emulator", ("emulator", "registry"), ("--version",)),
    Image("training", ()),
)
SITE = ("broker", "twin", "edge")
"""What runs at a site, and is built for arm64 too."""

PURPOSES = {
    "altair": "charts",
    "awscrt": "the edge's connection to IoT Core",
    "boto3": "AWS APIs",
    "botocore": "AWS APIs",
    "cryptography": "keys and certificates",
    "fonttools": "matplotlib's fonts",
    "floris": "wakes",
    "gustbed-core": "contracts, types, decisions",
    "llvmlite": "numba's compiler",
    "matplotlib": "figures; floris loads it",
    "ministack": "AWS emulator",
    "mlflow-skinny": "a record of every run",
    "moto": "model registry",
    "networkx": "graphs of PyTorch's exporter",
    "numba": "compiled turbines",
    "numpy": "arrays",
    "onnx": "writing models",
    "onnxruntime": "scores",
    "pandas": "tables",
    "pillow": "matplotlib's and Streamlit's pictures",
    "pyarrow": "Parquet, and tables to the browser",
    "pydantic": "settings",
    "pydantic-core": "settings",
    "scikit-learn": "rival detectors",
    "scipy": "numerics",
    "shapely": "floris's geometry",
    "sqlalchemy": "the record's database",
    "streamlit": "pages",
    "sympy": "shapes in PyTorch's exporter",
    "torch": "training",
}


def named(names: list[str], platform: str) -> list[Image]:
    """The images of these names, all where none is given. Raises ``ValueError``."""
    known = {image.name: image for image in IMAGES}
    if unknown := set(names) - set(known):
        raise ValueError(f"no image {', '.join(sorted(unknown))}: one of {', '.join(known)}")
    if not names:
        names = [name for name in known if name != "training"]
        if "arm64" in platform:
            names = list(SITE)
    return [known[name] for name in known if name in names]
