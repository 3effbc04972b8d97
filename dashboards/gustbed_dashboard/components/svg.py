"""Small inline drawings: status icons, the rotor, sparklines."""

from collections.abc import Sequence
from itertools import groupby

from markupsafe import Markup, escape

_ICONS = {
    "dot": '<circle cx="8" cy="8" r="5" fill="currentColor"/>',
    "alert": '<path d="M8 1.6 15 14H1Z" fill="currentColor"/>'
    '<path d="M8 6v3.6M8 11.4v1" stroke="#0b0f14" stroke-width="1.7" stroke-linecap="round"/>',
    "half": '<circle cx="8" cy="8" r="5" fill="none" stroke="currentColor" stroke-width="1.6"/>'
    '<path d="M8 3a5 5 0 0 1 0 10Z" fill="currentColor"/>',
    "question": '<circle cx="8" cy="8" r="6.4" fill="none" stroke="currentColor"'
    ' stroke-width="1.5"/><path d="M6.2 6.4a1.8 1.8 0 1 1 2.6 1.6c-.6.3-.8.6-.8 1.2M8 11.4v.2"'
    ' fill="none" stroke="currentColor" stroke-width="1.5" stroke-linecap="round"/>',
    "slash": '<circle cx="8" cy="8" r="5.6" fill="none" stroke="currentColor" stroke-width="1.5"/>'
    '<path d="M4.2 11.8 11.8 4.2" stroke="currentColor" stroke-width="1.5"/>',
    "ring": '<circle cx="8" cy="8" r="5" fill="none" stroke="currentColor" stroke-width="1.6"'
    ' stroke-dasharray="2.6 2.6"/>',
    "check": '<path d="M3 8.6 6.4 12 13 4.6" fill="none" stroke="currentColor" stroke-width="2"'
    ' stroke-linecap="round" stroke-linejoin="round"/>',
    "cross": '<path d="M4 4l8 8M12 4l-8 8" fill="none" stroke="currentColor" stroke-width="2"'
    ' stroke-linecap="round"/>',
}

_BLADE = "M24 23C22.6 17 22.9 9 24 3c1.7 5 2.4 13 1.5 20Z"


def icon(name: str) -> Markup:
    """A 16-unit icon in the current text colour; decoration, so hidden from screen readers."""
    return Markup(  # noqa: S704
        f'<svg class="gb-icon" viewBox="0 0 16 16" aria-hidden="true">{_ICONS[name]}</svg>'
    )


def picture(name: str, colour: str) -> str:
    """An icon as an image of its own, which knows no text colour."""
    drawn = _ICONS[name].replace("currentColor", colour)
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16" width="11" height="11">'
        f"{drawn}</svg>"
    )


def rotor(share: float) -> Markup:
    """A turbine whose blades turn in one of five speeds: steps of its share of full speed."""
    speed = sum(share >= step for step in (0.02, 0.27, 0.5, 0.8))
    blades = "".join(
        f'<path d="{_BLADE}" transform="rotate({angle} 24 24)"/>' for angle in (0, 120, 240)
    )
    return Markup(  # noqa: S704
        '<svg class="gb-turbine" viewBox="0 0 48 60" aria-hidden="true">'
        '<path class="gb-tower" d="M23.2 26h1.6l1.6 32h-4.8Z"/>'
        f'<g class="gb-rotor gb-spin-{speed}">{blades}</g>'
        '<circle cx="24" cy="24" r="2.6"/></svg>'
    )


def sparkline(
    values: Sequence[float | None],
    top: float,
    *,
    css: str,
    label: str,
    threshold: float | None = None,
    bottom: float = 0.0,
) -> Markup:
    """A line over the domain from ``bottom`` to ``top``; values beyond are drawn at the edge."""
    width, height, pad = 100.0, 32.0, 1.5
    step = width / max(1, len(values) - 1)

    def y(value: float) -> float:
        share = min(max((value - bottom) / (top - bottom), 0.0), 1.0) if top > bottom else 0.0
        return height - pad - share * (height - 2 * pad)

    points = [(None if value is None else (i * step, y(value))) for i, value in enumerate(values)]
    shapes = []
    for drawn, group in groupby(points, key=lambda point: point is not None):
        if not drawn:
            continue
        run = [point for point in group if point is not None]
        line = "L".join(f"{x:.1f} {at:.1f}" for x, at in run)
        left, right = run[0][0], run[-1][0]
        area = f"M{left:.1f} {height}L{line}L{right:.1f} {height}Z"
        shapes.append(f'<path class="gb-area" d="{area}"/>')
        shapes.append(f'<path class="gb-line" d="M{line}"/>')
    if threshold is not None:
        at = y(threshold)
        shapes.append(f'<path class="gb-threshold" d="M0 {at:.1f}H{width:.0f}"/>')
    return Markup(  # noqa: S704
        f'<svg class="gb-spark {css}" viewBox="0 0 {width:.0f} {height:.0f}"'
        f' preserveAspectRatio="none" role="img" aria-label="{escape(label)}">'
        f"{''.join(shapes)}</svg>"
    )
