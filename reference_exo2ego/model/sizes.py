"""Sizes of the parts of Exo2Ego; the defaults are those of the paper's model."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt

from reference_exo2ego.backbone.grid import Kind

LINEAR = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
"""Linear layers in every block of the language model."""


class Section(BaseModel):
    """Base of a section of the configuration: immutable, and an unknown name in it is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class VisionSize(Section):
    """Sizes of both visual encoders, by transformers' names: CLIP ViT-L/14 at 336 pixels."""

    hidden_size: PositiveInt = 1024
    intermediate_size: PositiveInt = 4096
    num_hidden_layers: PositiveInt = 24
    num_attention_heads: PositiveInt = 16
    image_size: PositiveInt = 336
    patch_size: PositiveInt = 14
    layer: int = -2
    """Which hidden state is read; that of VideoLLaMA2, so its weights can be used: the last layer but one."""

    @property
    def grid(self) -> int:
        """Patches in a row of a frame."""
        return self.image_size // self.patch_size

    @property
    def layers_read(self) -> int:
        """Number of layers below the hidden state that is read."""
        return self.layer % (self.num_hidden_layers + 1)


class LanguageSize(Section):
    """Sizes of the language model, by transformers' names: Mistral-7B-Instruct-v0.2."""

    vocab_size: PositiveInt = 32000
    hidden_size: PositiveInt = 4096
    intermediate_size: PositiveInt = 14336
    num_hidden_layers: PositiveInt = 32
    num_attention_heads: PositiveInt = 32
    num_key_value_heads: PositiveInt = 8
    max_position_embeddings: PositiveInt = 32768
    rope_theta: PositiveFloat = 1_000_000.0
    rms_norm_eps: PositiveFloat = 1e-5
    tie_word_embeddings: bool = False
    initializer_range: PositiveFloat = 0.02
    bos_token_id: NonNegativeInt | None = 1
    eos_token_id: NonNegativeInt | None = 2
    pad_token_id: NonNegativeInt | None = None


class ConnectorSize(Section):
    """VideoLLaMA2's spatial-temporal convolution connector."""

    kind: Kind = "stc_connector"
    depth: PositiveInt = 4
    """Blocks in each of its two stages."""


class LowRankConfig(Section):
    """LoRA in the language model (paper, supplement D.1)."""

    rank: PositiveInt = 128
    alpha: PositiveInt = 256
    dropout: NonNegativeFloat = 0.1
    targets: tuple[str, ...] = LINEAR
    """Layers that get LoRA. The paper names none; VideoLLaMA2's LoRA is in every linear layer of the blocks."""
