"""Every exception that EgoBench raises on purpose.

The tree::

    EgoBenchError
    ├── PluginError                a task or model cannot be had under that name
    │   ├── UnknownPluginError     there is no such plugin
    │   ├── BrokenPluginError      there is one, and it cannot be used
    │   └── ModelOptionError       the model has no such option, or the value has another type
    ├── JsonInputError             JSON from outside is none, or beyond a limit: nesting, numbers, repeated keys
    ├── AnnotationError            an annotation file cannot be used
    │   ├── AnnotationFileError    missing, empty, wrong encoding, truncated
    │   └── RecordError            one row of it is malformed
    ├── TrainingDataError          training data cannot be read or written, or nothing is left of it
    │   └── LeakError              it shares footage with a sample set
    ├── TrainingError              training cannot begin or go on
    │   ├── RecipeError            a recipe has no such option, or its options contradict each other
    │   ├── ResumeError            a folder holds another training, or a checkpoint that this one cannot go on from
    │   ├── CheckpointError        a checkpoint cannot be written
    │   └── DivergenceError        a loss or a gradient is no number
    ├── SampleSetError             a frozen sample set is missing, damaged, or of another version
    ├── ScoreFileError             a table of gallery scores cannot be used: shape, order, not a number
    ├── VideoError                 frames of a clip cannot be had
    │   ├── MissingVideoError      no file
    │   ├── UnreadableVideoError   a file that is no video: empty, truncated before its index, audio only
    │   ├── ShortVideoError        the video ends before the clip starts
    │   ├── DamagedVideoError      decoding failed on the way to a frame, or frames are missing
    │   ├── StuckVideoError        decoding took longer than a clip may take
    │   └── UnsupportedVideoError  this decoder is known to return wrong frames for such a file
    ├── FrameStoreError            a folder of decoded frames cannot be used
    │   ├── FrameStoreVersionError it was written by another version
    │   ├── FrameStoreSpaceError   frames would need more room than there is
    │   └── MissingFramesError     it does not hold the frames of a clip
    ├── EndpointError              a server that models or judges are asked through answers nobody
    │   └── RequestError           it has no answer to one request
    ├── JudgeError                 a judge cannot be reached, or has nothing to judge
    ├── ModelError                 a model cannot be loaded or cannot do what was asked of it
    │   ├── PromptError            it cannot take this one prompt; others it can
    │   ├── ModelMemoryError       a batch needs more memory than there is; a smaller one may not
    │   ├── ConfigurationError     a configuration contradicts itself, or is not that of the checkpoint
    │   └── StageError             what would train is not what the training stage says
    ├── SiteError                  a site or a viewer cannot be written
    ├── BundleError                a file is no bundle, or one that may do harm
    ├── EngineError                what does a run elsewhere is lost: workers that die, a cluster that vanishes
    └── StoreError                 a run folder cannot be used
        ├── BusyRunError           another process is at work in it
        └── SpecMismatchError      it holds another run

Wrong *arguments* stay ``ValueError`` and ``TypeError``. A message says what, which one, what was expected, and what to
do.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

DISTRIBUTION = "egobench-eval"
"""What EgoBench is installed as; the package index knows another project as ``egobench``."""


def install_command(extra: str) -> str:
    """Build the command that installs an extra of EgoBench, for messages about a library that is missing.

    Args:
        extra: A key of ``[project.optional-dependencies]`` in ``pyproject.toml``.
    """
    return f"pip install '{DISTRIBUTION}[{extra}]'"


class EgoBenchError(Exception):
    """The root: the command line prints any of these as one line, without a traceback."""


class PluginError(EgoBenchError):
    """A task or model cannot be had under that name."""


class UnknownPluginError(PluginError):
    """There is no plugin of that name."""


class BrokenPluginError(PluginError):
    """There is a plugin of that name, and it cannot be used."""


class ModelOptionError(PluginError):
    """A model has no such option, or the option's value has another type."""


@dataclass(eq=False)
class JsonInputError(EgoBenchError):
    """JSON from outside is none, or something in it is beyond a limit.

    Attributes:
        source: What names the text for a person, e.g. the path of the file.
        place: Where in it, e.g. ``"line 3, column 7"`` or ``"[17].choices.4"``; ``""`` for the whole.
        problem: What is wrong and what was expected.
    """

    source: str
    place: str
    problem: str

    def __str__(self) -> str:
        """One line: source, place, problem."""
        return f"{self.source}, {bare_reason(self)}" if self.place else f"{self.source}: {self.problem}"


def bare_reason(error: Exception) -> str:
    """Say what went wrong with a file whose path the message has named already.

    Args:
        error: What reading or writing it raised. Words of the operating system and of JSON come without the path.
    """
    if isinstance(error, JsonInputError):
        return f"{error.place}: {error.problem}" if error.place else error.problem
    return error.strerror if isinstance(error, OSError) and error.strerror else str(error)


class AnnotationError(EgoBenchError):
    """An annotation file cannot be used."""


class AnnotationFileError(AnnotationError):
    """An annotation file is missing, empty, truncated, or in another encoding or format."""


@dataclass(eq=False)
class RecordError(AnnotationError):
    """One row of an annotation file is malformed.

    Attributes:
        file: The annotation file.
        row: What names the row for a person: ``"row 17"``, ``"key '12'"``.
        field: The field at fault, ``""`` when it is the row as a whole.
        problem: What is wrong and what was expected.
    """

    file: Path
    row: str
    field: str
    problem: str

    def __str__(self) -> str:
        """One line: file, row, field, problem."""
        where = f"{self.file}, {self.row}" + (f", field {self.field!r}" if self.field else "")
        return f"{where}: {self.problem}"


class TrainingDataError(EgoBenchError):
    """Training data cannot be read or written, or nothing is left of it."""


class LeakError(TrainingDataError):
    """Training data shares footage with a sample set that models are evaluated on."""


class TrainingError(EgoBenchError):
    """Training cannot begin or go on."""


class RecipeError(TrainingError, ValueError):
    """A recipe has no such option, or its options contradict each other."""


class ResumeError(TrainingError):
    """A folder holds another training, or a checkpoint that this one cannot go on from."""


class CheckpointError(TrainingError):
    """A checkpoint cannot be written; the one before it stays valid."""


class DivergenceError(TrainingError):
    """A loss or a gradient is no number: not finite."""


class SampleSetError(EgoBenchError):
    """A frozen sample set is missing, damaged, or was written by another version."""


class ScoreFileError(EgoBenchError):
    """A table of gallery scores cannot be used: another shape or order, or not numbers."""


class VideoError(EgoBenchError):
    """The frames of a clip cannot be had."""


class MissingVideoError(VideoError):
    """There is no such file."""


class UnreadableVideoError(VideoError):
    """The file is no video that can be opened: empty, truncated before its index, audio only."""


class ShortVideoError(VideoError):
    """The video ends before the clip starts: the annotation is of another video, or of another version of it."""


class DamagedVideoError(VideoError):
    """Decoding failed on the way to a frame, or frames that the file promises are missing."""


class StuckVideoError(VideoError):
    """Decoding took longer than a clip may take: a disk that does not answer, a decoder that hangs."""


class UnsupportedVideoError(VideoError):
    """The chosen decoder is known to return wrong frames for such a file."""


class FrameStoreError(EgoBenchError):
    """A folder of decoded frames cannot be used: not writable, damaged."""


class FrameStoreVersionError(FrameStoreError):
    """A frame store was written by another version of EgoBench, or by something else."""


class FrameStoreSpaceError(FrameStoreError):
    """Frames would need more room than the disk has, or than they may take."""


class MissingFramesError(FrameStoreError):
    """A frame store does not hold the frames of a clip."""


class ModelError(EgoBenchError):
    """A model cannot be loaded, or cannot do what was asked of it."""


class PromptError(ModelError):
    """A model cannot take one prompt, e.g. one that is longer than it reads: a request error, and the run goes on.

    Attributes:
        tries: How often the model was asked.
    """

    def __init__(self, message: str, *, tries: int = 1) -> None:
        super().__init__(message)
        self.tries = tries


class ModelMemoryError(ModelError):
    """A batch needs more memory than there is. It is asked again in halves; a single prompt is a request error."""


class ConfigurationError(ModelError):
    """A model's configuration contradicts itself, or is another one than the checkpoint's."""


class StageError(ModelError):
    """What would train is not what the training stage says: a frozen part moves, or a part that moves is left out."""


class EndpointError(EgoBenchError):
    """A server answers nobody: a wrong address or key, or every request fails."""


class RequestError(EndpointError):
    """A server has no answer to one request, in spite of all tries.

    Attributes:
        status: The HTTP status of the last try, ``None`` where there was none.
        tries: How often the request was sent.
    """

    def __init__(self, message: str, *, status: int | None = None, tries: int = 1) -> None:
        super().__init__(message)
        self.status, self.tries = status, tries


class JudgeError(EgoBenchError):
    """A judge cannot be reached, refuses, or has nothing to judge."""


class EngineError(EgoBenchError):
    """What does a run elsewhere cannot be had or is lost: a missing package, workers that die, a vanished cluster."""


class StoreError(EgoBenchError):
    """A run folder cannot be used: not writable, damaged, no space left."""


class ChecksumError(StoreError):
    """A file of a run folder was changed since it was signed."""


class ReadOnlyRunError(StoreError):
    """A run folder cannot be written."""


class BusyRunError(StoreError):
    """Another process is at work in a run folder."""


class SpecMismatchError(StoreError):
    """A run folder holds another run."""


class BundleError(EgoBenchError):
    """A file is no bundle, is damaged, or may do harm."""


class ChartError(EgoBenchError):
    """A picture cannot be written."""


class SiteError(EgoBenchError):
    """A site or a viewer cannot be written."""
