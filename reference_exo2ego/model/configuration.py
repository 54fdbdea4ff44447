"""The configuration of Exo2Ego: sizes, and a named switch for everything that the paper leaves open.

The text below a switch says what it decides and why its default is the default. ``docs/exo2ego_choices.md`` is written
from these texts, so this is the one place to change them. Defaults are the paper's model at full size.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, NonNegativeInt, PositiveFloat, PositiveInt, ValidationError, model_validator

from egobench.errors import ConfigurationError
from reference_exo2ego.backbone.fit import Fit
from reference_exo2ego.backbone.grid import TokenGrid, token_grid

from .sizes import LINEAR, ConnectorSize, LanguageSize, LowRankConfig, Section, VisionSize
from .stages import PARTS, STAGES, Part, Stage, stage_named


def _stages(names: Any) -> Any:
    names = [names] if isinstance(names, str) else names
    return [stage_named(name) if isinstance(name, str) else name for name in names]


Stages = Annotated[tuple[Stage, ...], BeforeValidator(_stages)]


class MappingConfig(Section):
    """The mappings F: ego -> exo and G: exo -> ego."""

    kind: Literal["resnet9", "fc"] = "resnet9"
    """Nine ResNet blocks between down- and up-sampling as the paper says, after CycleGAN's generator without its tanh,
    for features have no bounds; ``fc`` is the ablation of Table 7: two linear layers on every patch by itself."""
    residual: bool = False
    """Whether a mapping adds to its input (last layer zero at first, so training begins at the identity) or computes
    its output anew. The generator of the paper's source computes it anew; a small budget learns faster with
    ``true``."""
    width: PositiveInt = 64
    """Channels after the first convolution, doubled by each down-sampling. 64 is the generator's; 256 would keep the
    encoder's 1,024 channels at the narrowest place, at 207 M instead of 18 M parameters a mapping."""
    downsamplings: NonNegativeInt = 2
    """How often height and width are halved before the blocks and doubled after them. 2 is the generator's."""


class LossWeights(Section):
    """Factors of the losses of stage 2. The paper gives none, so all count alike."""

    vtg: PositiveFloat = 1.0
    """Of next-token prediction (VTG)."""
    kl: PositiveFloat = 1.0
    """Of the divergence between the demonstrator's features and F's."""
    ccl: PositiveFloat = 1.0
    """Of the cycle consistency (CCL); CycleGAN itself has 10 against its adversarial loss."""


class TrainTable(Section):
    """What trains when: the stages in which each part moves (paper, Figure 4 and Table 8)."""

    ego_encoder: Stages = ("init", "stage2", "stage3")
    """The learner. Without ``stage3`` it is Table 8's row of a frozen encoder."""
    exo_encoder: Stages = ("init", "stage1")
    """The demonstrator. With ``stage2`` it is Table 8's row of two trained encoders."""
    connector: Stages = ("init", "stage1")
    """The paper names the encoders alone, but a connector from scratch has to move somewhere. A shared one that moves
    in stage 1 changes what the learner's tokens say: see the table of stages for what is compared with what."""
    to_exo: Stages = ("stage2", "stage3")
    """F."""
    to_ego: Stages = ("stage2",)
    """G."""
    fusion: Stages = ("stage2", "stage3")
    """The layer of ``fuse=channel``, with F."""
    delimiters: Stages = ("init", "stage1", "stage2", "stage3")
    """The vectors of ``delimiters=on``, wherever they are read."""
    language: Stages = ()
    """All weights of the language model. Frozen in the paper; an end-to-end baseline trains them."""
    low_rank: Stages = ("stage3",)
    """LoRA. Without any stage it is Table 7's row without LoRA."""


def _kind_alone(mapping: Any) -> Any:
    return {"kind": mapping} if isinstance(mapping, str) else mapping


class Exo2EgoConfig(Section):
    """All of Exo2Ego. Whatever contradicts itself raises :class:`~egobench.errors.ConfigurationError` here."""

    vision: VisionSize = VisionSize()
    language: LanguageSize = LanguageSize()
    stc: ConnectorSize = ConnectorSize()
    low_rank: LowRankConfig = LowRankConfig()
    frames: PositiveInt = 16
    """Frames of a clip (Table 14); with ``fps`` the most there are."""
    fps: PositiveFloat | None = None
    """Frames a second of a clip, for a model that sees short clips and long ones; without it every clip has
    ``frames``."""
    fit: Fit = "crop"
    """How a frame becomes the encoders' square: its middle, all of it with borders, or all of it squeezed. CLIP's own
    is the middle; a small model cannot do without the sides."""
    place: Literal["before_connector", "after_connector"] = "before_connector"
    """Where F and G sit. The figure draws them on the encoders' output, and CycleGAN's generator needs a grid that can
    be halved twice: the 24 x 24 patches of a frame can, the 13 x 13 tokens behind the connector cannot."""
    mapping: Annotated[MappingConfig, BeforeValidator(_kind_alone)] = MappingConfig()
    fuse: Literal["token", "channel", "sum"] = "token"
    """How the learner's tokens and those of F(x) become one input: behind one another, joined by a linear layer that
    lets only the learner's through at first, or added. "Concatenated" in the paper; behind one another needs no new
    weights and leaves VideoLLaMA2's as they are, at twice the tokens."""
    connector: Literal["shared", "per_view"] = "shared"
    """Whether one connector reads both views or the exocentric one has its own. Neither text nor figure has a second
    one."""
    delimiters: Literal["on", "off"] = "off"
    """Whether learned vectors stand at the beginning and the end of each view's tokens. The paper names none."""
    kl: Literal["categorical", "gaussian", "output", "off"] = "categorical"
    """What diverges. ``categorical``: the softmax over the channels of each patch, y's from F(x)'s. ``gaussian``: of
    each channel's mean and variance over a clip, which is what the cited theory is about. ``output``: the next words
    that the language model predicts from y alone, from those it predicts from F(x) alone. The paper has a name and no
    formula; the first needs no assumption about the shape of features. In each, y is the target and does not move, as
    the second version's figure draws it."""
    kl_temperature: PositiveFloat = 1.0
    """What logits and channels are divided by before the softmax."""
    ccl: Literal["both", "forward", "none"] = "both"
    """Which cycles close: x and G(F(x)), y and F(G(y)); Eq. 2 has both. Table 7 leaves out the second, or both and
    G."""
    weights: LossWeights = LossWeights()
    train: TrainTable = TrainTable()

    @property
    def word_losses(self) -> tuple[Literal["vtg", "kl"], ...]:
        """Losses that are means over predicted words; the others are means over clips."""
        return ("vtg", "kl") if self.kl == "output" else ("vtg",)

    @property
    def feature_grid(self) -> int:
        """Places in a row of the grid that F and G work on."""
        return self.vision.grid if self.place == "before_connector" else self._token_grid.side

    @property
    def feature_width(self) -> int:
        """Channels of what F and G work on."""
        return self.vision.hidden_size if self.place == "before_connector" else self.language.hidden_size

    @property
    def tokens(self) -> int:
        """Tokens of one view of a clip, delimiters left out."""
        return self._token_grid.tokens

    @property
    def token_places(self) -> int:
        """Tokens of one view of a step in time, which is two frames."""
        return self._token_grid.side**2

    @property
    def _token_grid(self) -> TokenGrid:
        return token_grid(self.frames, self.vision.grid, self.stc.kind)

    @property
    def parts(self) -> tuple[Part, ...]:
        """The parts that this model has; ``low_rank`` comes when it first trains."""
        absent: set[str] = {"low_rank"} if not self.train.low_rank else set()
        absent |= {"exo_connector"} if self.connector == "shared" else set()
        absent |= {"fusion"} if self.fuse != "channel" else set()
        absent |= {"delimiters"} if self.delimiters == "off" else set()
        absent |= {"to_ego"} if self.ccl == "none" else set()
        return tuple(part for part in PARTS if part not in absent)

    def read_in(self, stage: Stage) -> tuple[Part, ...]:
        """The parts that a stage computes with, in the order of :data:`PARTS`."""
        views: dict[Stage, set[str]] = {
            "init": {"ego_encoder", "exo_encoder"},
            "stage1": {"exo_encoder"},
            "stage2": {"ego_encoder", "to_exo", "to_ego", "fusion"},
            "stage3": {"ego_encoder", "to_exo", "fusion"},
        }
        parts = views[stage] | {"delimiters", "language"}
        if stage == "stage2" and (self.kl != "off" or self.ccl == "both"):
            parts.add("exo_encoder")
        demonstrated = "exo_encoder" in parts or (self.place == "before_connector" and "to_exo" in parts)
        if self.connector == "shared" or "ego_encoder" in parts:
            parts.add("connector")
        if demonstrated:
            parts.add("exo_connector")
        if any(STAGES.index(first) <= STAGES.index(stage) for first in self.train.low_rank):
            parts.add("low_rank")
        return tuple(part for part in self.parts if part in parts)

    def learner_in(self, stage: Stage) -> tuple[Part, ...]:
        """The parts that answer a question about an egocentric video alone, with the weights of a stage's end."""
        parts = set(self.read_in("stage3" if stage in {"stage2", "stage3"} else "init"))
        if "low_rank" in self.read_in(stage):
            parts.add("low_rank")
        else:
            parts.discard("low_rank")
        if stage in {"init", "stage1"}:
            parts -= {"exo_connector"}
        return tuple(part for part in self.parts if part in parts - {"exo_encoder", "to_ego"})

    def trained_in(self, stage: Stage) -> tuple[Part, ...]:
        """The parts that move in a stage."""
        moved = {part for part in PARTS if stage in getattr(self.train, _row(part))}
        return tuple(part for part in self.read_in(stage) if part in moved and part not in self._out_of_reach(stage))

    def _out_of_reach(self, stage: Stage) -> set[Part]:
        """Parts that a stage computes with and that no gradient comes to, for y is the target of the divergence."""
        if stage != "stage2" or self.ccl == "both":
            return set()
        behind = self.place == "after_connector" and self.connector == "per_view"
        return {"exo_encoder", "exo_connector"} if behind else {"exo_encoder"}

    @model_validator(mode="after")
    def _check(self) -> Self:
        for fault in self._faults():
            raise ConfigurationError(fault)
        return self

    def _faults(self) -> Iterable[str]:
        yield from self._size_faults()
        yield from self._grid_faults()
        foreign = [target for target in self.low_rank.targets if target not in LINEAR]
        if foreign:
            yield (
                f"low_rank.targets: {', '.join(foreign)} not in the language model; its linear layers are "
                f"{', '.join(LINEAR)}"
            )
        if not self.low_rank.targets:
            yield "low_rank.targets: empty; name a layer, or leave LoRA out with train.low_rank=[]"
        yield from self._train_faults()

    def _size_faults(self) -> Iterable[str]:
        vision, language, states = self.vision, self.language, self.vision.num_hidden_layers + 1
        if vision.image_size % vision.patch_size:
            yield f"vision: images of {vision.image_size} pixels cannot be cut into patches of {vision.patch_size}"
        if not -states <= vision.layer < states:
            yield f"vision.layer: {vision.layer}, but there are {states} hidden states"
        for where, size in (("vision", vision), ("language", language)):
            if size.hidden_size % size.num_attention_heads:
                yield f"{where}: {size.hidden_size} channels cannot be shared by {size.num_attention_heads} heads"
        if language.num_attention_heads % language.num_key_value_heads:
            yield (
                f"language: {language.num_attention_heads} heads cannot share {language.num_key_value_heads} keys and "
                f"values"
            )
        visual = self.tokens * (2 if self.fuse == "token" else 1) + 4 * (self.delimiters == "on")
        if visual >= language.max_position_embeddings:
            yield (
                f"language.max_position_embeddings: {language.max_position_embeddings}, but {self.frames} frames are "
                f"{visual} tokens; show fewer frames or let the language model read more"
            )

    def _grid_faults(self) -> Iterable[str]:
        if self.mapping.kind == "fc":
            return
        side, halved = self.feature_grid, 2**self.mapping.downsamplings
        grid = f"mapping: the grid of {side} x {side} ({self.place})"
        if side % halved:
            yield (
                f"{grid} cannot be halved {self.mapping.downsamplings} times; expected a multiple of {halved}: change "
                f"vision.image_size, mapping.downsamplings, place or stc.kind"
            )
        if side < 4 or side // halved < 2:
            yield (
                f"{grid} is too small: 4 places a row are the least, and 2 after halving {self.mapping.downsamplings} "
                f"times"
            )

    def _train_faults(self) -> Iterable[str]:
        for row in TrainTable.model_fields:
            stages: tuple[Stage, ...] = getattr(self.train, row)
            parts = [part for part in self.parts if _row(part) == row]
            for stage in stages if parts else ():
                read = [part for part in parts if part in self.read_in(stage)]
                if not read:
                    allowed = [name for name in STAGES if any(part in self.read_in(name) for part in parts)]
                    yield f"train.{row}: nothing reads it in {stage}; it can train in {', '.join(allowed)}"
                elif all(part in self._out_of_reach(stage) for part in read):
                    yield (
                        f"train.{row}: no gradient reaches it in {stage} with ccl={self.ccl}, for the divergence does "
                        f"not move y; set ccl=both or leave {stage} out"
                    )
            if len(set(stages)) < len(stages):
                yield f"train.{row}: a stage is named twice in {', '.join(stages)}"
        both = [stage for stage in self.train.language if stage in self.train.low_rank]
        if both:
            yield f"train: all of the language model and LoRA in it cannot both train in {both[0]}; choose one of them"


def read_configuration(values: Mapping[str, Any], where: str) -> Exo2EgoConfig:
    """A configuration out of a file or a command line.

    Args:
        values: Sections and switches by name; what is left out has its default.
        where: What holds them, for messages.

    Raises:
        ConfigurationError: If a name is not known, a value is not allowed, or two contradict each other.
    """
    try:
        return Exo2EgoConfig.model_validate(values)
    except ValidationError as error:
        faults = [
            _unknown(fault["loc"])
            if fault["type"] == "extra_forbidden"
            else f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}, found {fault['input']!r}"
            for fault in error.errors(include_url=False)
        ]
        raise ConfigurationError(f"{where}: {'; '.join(faults)}") from error
    except ConfigurationError as error:
        raise ConfigurationError(f"{where}: {error}") from error


def differences(first: Exo2EgoConfig, second: Exo2EgoConfig) -> list[str]:
    """Names of the switches and sizes in which two configurations differ, with both values."""

    def flat(section: Section, before: str = "") -> dict[str, Any]:
        values: dict[str, Any] = {}
        for name in type(section).model_fields:
            value = getattr(section, name)
            values |= flat(value, f"{before}{name}.") if isinstance(value, Section) else {before + name: value}
        return values

    values, others = flat(first), flat(second)
    return [f"{name}: {value!r} and {others[name]!r}" for name, value in values.items() if value != others[name]]


def _unknown(place: tuple[int | str, ...]) -> str:
    section: type[Section] = Exo2EgoConfig
    for name in map(str, place[:-1]):
        default: Section = section.model_fields[name].default
        section = type(default)
    above = ".".join(map(str, place[:-1])) or "the configuration"
    return f"{'.'.join(map(str, place))}: not known; {above} has {', '.join(section.model_fields)}"


def _row(part: Part) -> str:
    """The row of :class:`TrainTable` that a part is in."""
    return "connector" if part == "exo_connector" else part
