from collections.abc import Callable, Mapping

from gustbed_edge.plugins import JobContext, JobFailedError


class WriteNote:
    def __init__(self, context: JobContext) -> None:
        self.folder = context.data_dir

    def run(
        self, _job: str, document: Mapping[str, object], progress: Callable[[str], None]
    ) -> Mapping[str, str]:
        text = document.get("text")
        if not isinstance(text, str) or len(text) > 1000:
            raise JobFailedError("bad_document", "text must be a string of at most 1000 characters")
        progress("writing a note")
        (self.folder / "note.txt").write_text(text)
        return {"characters": str(len(text))}
