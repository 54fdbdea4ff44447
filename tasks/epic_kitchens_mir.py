"""EPIC-KITCHENS-100 multi-instance retrieval, video to text: which caption is the clip's own; options constructed.

Paper: Damen et al., "Rescaling Egocentric Vision", arXiv 2006.13256. Annotations:
github.com/epic-kitchens/epic-kitchens-100-annotations, folder retrieval_annotations. Licence: CC BY-NC 4.0.

Quirks:

* Times are taken from the timestamps: the frame columns count at a nominal 60 per second, which no video has.
* Six rows of the sentence file carry the text of another row, so a caption's text is looked up by its ``narration_id``
  in the clip file. 3,842 captions have 3,835 texts.
* Numbers over five candidates (chance 45.67 and 58.97) are not the full-gallery metrics of the challenge and stand in
  no column with them.
* ``gallery`` is that challenge, clip to caption: 9,668 rows in the order of the clip file, 3,842 columns in that of the
  sentence file. A score file is worth nothing against captions in another order, so the real one is known by hash.
* The extension of the videos is upper case.
* ``EPIC_100_video_info.csv`` may lie beside the two files; lengths and frame rates in it are for ``egobench doctor``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from hashlib import sha256
from typing import Annotated

from pydantic import Field

from egobench.annotations import Annotations, CsvFile, FieldError, Row
from egobench.annotations.fields import Id, Integers, Ordinal, Text, Timestamp, stretch
from egobench.distractors import nearest, shared_sets
from egobench.errors import AnnotationFileError
from egobench.metrics.accuracy import accuracy
from egobench.metrics.gallery import class_relevancy, graded_ap, graded_gain
from egobench.metrics.ranking import single_positive_ap, single_positive_ndcg
from egobench.sample import GalleryItem, Record
from egobench.task import Gallery, Source, SourceFile, Subset, Task, Tools, Truth

CLIPS = CsvFile("EPIC_100_retrieval_test.csv")
CAPTIONS = CsvFile("EPIC_100_retrieval_test_sentence.csv")
VIDEOS = CsvFile("EPIC_100_video_info.csv")

SOURCE = Source(
    paper="https://arxiv.org/abs/2006.13256",
    home="https://github.com/epic-kitchens/epic-kitchens-100-annotations",
    licence="CC-BY-NC-4.0",
    shareable=True,
    files={
        CLIPS.name: SourceFile(
            "clips with times, narration and classes",
            "35f7932ba0a1127a96cac215a98d35398946f343e3cea9ad6688ed17eee9d75d",
        ),
        CAPTIONS.name: SourceFile(
            "the captions of the gallery, in its order",
            "9ccf771a88ceb3e15f9a2842344ef2d7c13176f9e66af8c5c15b6935fd25c46c",
        ),
    },
    videos="{participant_id}/{video_id}.MP4",
    release="epic-kitchens/epic-kitchens-100-annotations ea8b404",
    other_forms={
        VIDEOS.name: SourceFile(
            "lengths and frame rates of the videos", "75fd040f6662cb407b4ca2eed4811ca94df280a1aba00b6bf8a5cd286deff382"
        )
    },
)

PUBLISHED = (3842, "033ff38ac4d39d37306923d681202901af182eb0430156767914ab9c488f0750")
"""Number of captions, and SHA-256 of their ids in the published order, a line each."""

QUESTION = (
    "Given a query video segment, how can captions be ranked so that those with a higher rank are more semantically "
    "relevant to the action in the query video segment?"
)
"""Of five captions: arXiv 2503.09143, Table 12."""

GALLERY_QUESTION = "Which caption best describes the action in the video?"
"""Of one caption at a time, where a retriever's best are scored again."""

TRUE_OF = Truth(same=("verb", "noun"))
"""Equal classes are a relevancy of 1."""


class Narrated(Row):
    """One clip."""

    narration_id: Id
    participant_id: Id
    video_id: Id
    start_timestamp: Timestamp
    stop_timestamp: Timestamp
    narration: Text
    verb_class: Ordinal
    all_noun_classes: Integers


class Caption(Row):
    """One caption of the gallery, known by the clip it was narrated for."""

    narration_id: Id


class Video(Row):
    """One row of ``EPIC_100_video_info.csv``."""

    video_id: Id
    duration: Annotated[float, Field(gt=0)]
    fps: Annotated[float, Field(gt=0)]


def record(row: Narrated, question: str) -> Record:
    """A clip and its own caption; the tags are class numbers, from which the relevancy of any caption follows."""
    if not row.all_noun_classes:
        raise FieldError("all_noun_classes", "holds no class; expected at least one")
    video = f"{row.participant_id}/{row.video_id}.MP4"
    return Record(
        id=row.narration_id,
        clip=stretch(video, row.start_timestamp, row.stop_timestamp, field="stop_timestamp"),
        question=question,
        answer=row.narration,
        cluster=row.video_id,
        tags={"verb": str(row.verb_class), "noun": tuple(map(str, sorted(set(row.all_noun_classes))))},
    )


def read(annotations: Annotations, question: str = QUESTION) -> Iterator[Record]:
    """Every clip, and the size of the gallery as a fact."""
    texts: dict[str, str] = {}
    files: dict[str, str] = {}
    for narrated in annotations.records(CLIPS, Narrated, partial(record, question=question)):
        texts[narrated.id] = narrated.answer
        files[narrated.cluster] = narrated.clip.video
        yield narrated
    if annotations.has(VIDEOS):
        for video in annotations.table(VIDEOS, Video, lambda video: video.video_id).values():
            if video.video_id in files:
                annotations.videos[files[video.video_id]] = {"seconds": video.duration, "fps": video.fps}
    captions = annotations.table(CAPTIONS, Caption, lambda caption: caption.narration_id)
    annotations.facts["captions"] = len(captions)
    annotations.facts["texts"] = len({texts[narration_id] for narration_id in captions if narration_id in texts})


def gallery(records: Sequence[Record], tools: Tools) -> list[GalleryItem]:
    """Every caption in the order of the sentence file, with text and classes of the clip it was narrated for."""
    strict = Annotations(tools.annotations.folder)
    captions = strict.table(CAPTIONS, Caption, lambda caption: caption.narration_id)
    path = strict.folder / CAPTIONS.name
    if len(captions) == PUBLISHED[0] and sha256("\n".join(captions).encode()).hexdigest() != PUBLISHED[1]:
        raise AnnotationFileError(
            f"{path}: not in the published order, that of the columns of scores; download it again"
        )
    clips = {record.id: record for record in records}
    missing = [name for name in captions if name not in clips]
    if missing:
        raise AnnotationFileError(f"{path}: {len(missing)} captions have no clip in {CLIPS.name}, e.g. {missing[0]!r}")
    return [GalleryItem(name, clips[name].answer, clips[name].tags) for name in captions]


TASK = Task(
    name="epic-kitchens-mir",
    version=2,
    skill="video to text retrieval",
    source=SOURCE,
    read=read,
    constructions={"paper": nearest(5), "debiased": shared_sets(5, true_of=TRUE_OF)},
    metrics={"mAP": single_positive_ap, "nDCG": single_positive_ndcg, "acc": accuracy},
    subsets=(Subset("all", "mcq", headline="mAP", beside=("nDCG",)),),
    cluster="video",
    headline="paper",
    true_of=TRUE_OF,
    readers={"gallery": partial(read, question=GALLERY_QUESTION)},
    galleries={"gallery": Gallery(gallery, class_relevancy, {"mAP": graded_ap, "nDCG": graded_gain})},
)
