"""Reading weights: nothing that a file holds is run, and every fault is named."""

from __future__ import annotations

import json
import os
import pickle
from pathlib import Path

import pytest

from egobench.errors import ModelError, ResumeError

torch = pytest.importorskip("torch")


class Trap:
    """Unpickled with trust, it would make a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.folder),)


def test_a_pickle_that_holds_code_is_refused_and_not_run(tmp_path: Path) -> None:
    from reference_exo2ego.backbone.weights import read_weights

    for legacy in (False, True):
        file = tmp_path / f"weights{legacy}.pth"
        trapped = {"a": torch.zeros(2), "b": Trap(tmp_path / "made")}
        torch.save(trapped, file, _use_new_zipfile_serialization=not legacy)
        with pytest.raises(
            ModelError, match=r"refused, for it holds more than tensors, \w+\.mkdir, and may run"
        ) as told:
            read_weights([file])
        # torch's own words tell how to read it all the same.
        assert "weights_only" not in str(told.value)
    plain = tmp_path / "plain.bin"
    plain.write_bytes(pickle.dumps(Trap(tmp_path / "made"), protocol=2))
    with pytest.raises(ModelError, match="refused"):
        read_weights([plain])
    (tmp_path / "config.json").write_text('{"model": null}')
    with pytest.raises(ModelError, match=r"config\.json: refused, for it is no file of tensors and may run code"):
        read_weights([tmp_path / "config.json"])
    assert not (tmp_path / "made").exists()


def test_pickles_of_tensors_are_read_in_both_formats(tmp_path: Path) -> None:
    from reference_exo2ego.backbone.weights import read_weights

    tensors = {"a": torch.arange(3.0), "b": torch.ones(2, 2, dtype=torch.bfloat16)}
    torch.save(tensors, tmp_path / "new.pth")
    torch.save({"model": tensors}, tmp_path / "inside.pth")
    torch.save(tensors, tmp_path / "old.pth", _use_new_zipfile_serialization=False)
    for name in ("new", "inside", "old"):
        weights = read_weights([tmp_path / f"{name}.pth"])
        assert {key: value.tolist() for key, value in weights.items()} == {"a": [0, 1, 2], "b": [[1, 1], [1, 1]]}


@pytest.mark.parametrize(
    "content", [b"\x80\x02.", b"\x80\x02R.", b"\x80\x02K", b"\x80\x02M\x01", b"\x80\x02}s.", b"\x80\x02h\x09."]
)
def test_a_damaged_pickle_is_a_clear_error(tmp_path: Path, content: bytes) -> None:
    from reference_exo2ego.backbone.weights import read_weights

    (tmp_path / "a.bin").write_bytes(content)
    with pytest.raises(ModelError, match=r"a\.bin: (cannot be read|refused)"):
        read_weights([tmp_path / "a.bin"])


def test_a_file_that_is_no_dictionary_of_tensors_is_a_clear_error(tmp_path: Path) -> None:
    from reference_exo2ego.backbone.weights import read_weights

    torch.save([torch.zeros(1)], tmp_path / "list.pth")
    with pytest.raises(ModelError, match=r"list\.pth: holds no tensors by name"):
        read_weights([tmp_path / "list.pth"])
    torch.save({"a": torch.zeros(1000)}, tmp_path / "whole.pth")
    (tmp_path / "part.pth").write_bytes((tmp_path / "whole.pth").read_bytes()[:2000])
    with pytest.raises(ModelError, match=r"part\.pth: "):
        read_weights([tmp_path / "part.pth"])
    (tmp_path / "part.safetensors").write_bytes(b"\x10\0\0\0\0\0\0\0{")
    with pytest.raises(ModelError, match=r"not a whole safetensors file"):
        read_weights([tmp_path / "part.safetensors"])


def test_a_missing_part_is_named(tmp_path: Path) -> None:
    from reference_exo2ego.backbone.weights import weight_files
    from tests.reference_exo2ego.published_layout import save_parts

    save_parts(tmp_path, {"a": torch.zeros(1), "b": torch.zeros(1)})
    assert [path.name for path in weight_files(tmp_path)] == [
        f"model-0000{part}-of-00002.safetensors" for part in (1, 2)
    ]
    (tmp_path / "model-00002-of-00002.safetensors").unlink()
    with pytest.raises(ModelError, match=r"names model-00002-of-00002\.safetensors, not there"):
        weight_files(tmp_path)
    with pytest.raises(ModelError, match="no weights; expected"):
        weight_files(tmp_path / "nothing")


def test_what_is_missing_extra_or_misshapen_is_named() -> None:
    from reference_exo2ego.backbone.weights import check_weights

    weights = {"kept": torch.zeros(2, 3), "turned": torch.zeros(3, 2), "extra": torch.zeros(1)}
    shapes = {"kept": torch.Size((2, 3)), "turned": torch.Size((2, 3))} | {
        f"lost{number}": torch.Size((1,)) for number in range(5)
    }
    with pytest.raises(ModelError) as raised:
        check_weights("here", weights, shapes)
    assert str(raised.value).startswith(
        "here: of 7 tensors expected, 5 missing: lost0, lost1, lost2 and 2 more; 1 not known: extra; "
        "1 of another shape: turned of (3, 2), not (2, 3)."
    )
    check_weights("here", {"kept": weights["kept"]}, {"kept": torch.Size((2, 3))})


def test_a_training_does_not_go_on_from_a_pickle_that_holds_code(tmp_path: Path) -> None:
    from reference_exo2ego.training.engine import STATE, LossModule, TorchEngine
    from reference_exo2ego.training.processes import Processes
    from tests.reference_exo2ego.tiny_exo2ego import tiny_model

    module = LossModule(tiny_model())
    engine = TorchEngine(module, torch.optim.AdamW(module.parameters()), Processes(), clip=1.0, dtype=torch.float32)
    torch.save({"weights": {}, "optimizer": Trap(tmp_path / "made")}, tmp_path / STATE)
    with pytest.raises(ResumeError, match=r"state\.pt: nothing can go on from it"):
        engine.load(tmp_path)
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize(
    "content",
    [
        "[]",
        "{}",
        '{"weight_map": 3}',
        '{"weight_map": {"a": ["b"]}}',
        '{"weight_map": {"a": "../b"}}',
        json.dumps({"weight_map": {"a": "b" * 5000}}),
        json.dumps({"weight_map": {"a": "b\0"}}),
        "[" * 9999,
    ],
)
def test_an_index_that_names_no_files_beside_it_is_refused(tmp_path: Path, content: str) -> None:
    from reference_exo2ego.backbone.weights import weight_files

    index = tmp_path / "model.safetensors.index.json"
    index.write_text(content)
    with pytest.raises(ModelError, match=r"model\.safetensors\.index\.json: "):
        weight_files(tmp_path)


def test_a_damaged_tokenizer_is_named(tmp_path: Path) -> None:
    from reference_exo2ego.training.beginning import load_tokenizer
    from tests.reference_exo2ego.training.tiny_training import tokenizer

    tokenizer().save_pretrained(tmp_path)
    file = tmp_path / "tokenizer.json"
    file.write_text(file.read_text().replace("WordLevel", "WordLovel"))
    with pytest.raises(ModelError, match="its tokenizer cannot be read"):
        load_tokenizer(tmp_path)
