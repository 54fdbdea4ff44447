"""Clips without loss: what a reader decodes is what was handed in, to the last bit."""

from __future__ import annotations

import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from egobench.errors import DamagedVideoError, StoreError, UnsupportedVideoError
from egobench.interop.clips import cached_clip, rate_of, read_clip, write_clip


def noise(count: int = 16, height: int = 48, width: int = 64) -> np.ndarray:
    """Frames that no lossy encoder keeps."""
    return np.random.default_rng(count * height * width).integers(0, 256, (count, height, width, 3), dtype=np.uint8)


def seconds(count: int, over: float) -> np.ndarray:
    return np.linspace(0.0, over, count)


@pytest.mark.parametrize("size", [(48, 64), (49, 67), (14, 14), (336, 448)])
@pytest.mark.parametrize("fps", [1.0, 29.97, None])
def test_pyav_reads_back_every_bit_of_noise(size: tuple[int, int], fps: float | None, tmp_path: Path) -> None:
    frames = noise(4, *size)
    path = write_clip(frames, seconds(4, 170.0), tmp_path / "clip.mp4", fps=fps)
    np.testing.assert_array_equal(read_clip(path), frames)


@pytest.mark.parametrize("size", [(48, 64), (49, 67)])
def test_decord_reads_back_every_bit_of_noise_and_the_rate(size: tuple[int, int], tmp_path: Path) -> None:
    decord = pytest.importorskip("decord")
    frames = noise(16, *size)
    for fps, expected in ((1.0, 1.0), (2.0, 2.0), (None, 15 / 180)):
        reader = decord.VideoReader(str(write_clip(frames, seconds(16, 180.0), tmp_path / "clip.mp4", fps=fps)))
        assert reader.get_avg_fps() == pytest.approx(expected)
        np.testing.assert_array_equal(reader.get_batch(range(len(reader))).asnumpy(), frames)


def test_equal_frames_stay_as_many_frames(tmp_path: Path) -> None:
    frames = np.repeat(noise(1), 16, axis=0)
    assert len(read_clip(write_clip(frames, seconds(16, 0.5), tmp_path / "clip.mp4"))) == 16


def test_the_same_frames_give_the_same_bytes_once(tmp_path: Path) -> None:
    first = cached_clip(noise(), seconds(16, 3.0), tmp_path / "a")
    again = cached_clip(noise(), seconds(16, 3.0), tmp_path / "b")
    assert first.name == again.name
    assert first.read_bytes() == again.read_bytes()
    written = first.stat().st_mtime_ns
    assert cached_clip(noise(), seconds(16, 3.0), tmp_path / "a").stat().st_mtime_ns == written
    assert [path.name for path in (tmp_path / "a").iterdir()] == [first.name]


def test_other_frames_or_another_rate_are_another_clip(tmp_path: Path) -> None:
    changed = noise()
    changed[7, 3, 3, 1] ^= 1
    names = {
        cached_clip(frames, seconds(16, 3.0), tmp_path, fps=fps).name
        for frames, fps in ((noise(), 1.0), (changed, 1.0), (noise(), None))
    }
    assert len(names) == 3


def test_the_true_rate_is_the_mean_over_the_clip() -> None:
    assert rate_of(seconds(16, 7.5)) == Fraction(2)
    assert rate_of(np.zeros(16)) == 1
    assert rate_of(np.array([4.0])) == 1
    assert rate_of(seconds(2, 1e6)) == Fraction(1, 1001), "never 0, which no container takes"


def test_what_is_no_picture_is_refused(tmp_path: Path) -> None:
    for frames in (noise().astype(np.float32), noise()[..., 0], noise()[:0]):
        with pytest.raises(ValueError, match="expected uint8"):
            write_clip(frames, seconds(16, 1.0), tmp_path / "clip.mp4")
    assert not list(tmp_path.iterdir())


def test_a_disk_that_is_full_is_a_typed_error_and_leaves_no_file(tmp_path: Path) -> None:
    # No file of this process may grow beyond 20 kB; the clip has 140 kB.
    code = (
        "import resource, signal, sys; from pathlib import Path; import numpy as np\n"
        "from egobench.interop.clips import write_clip\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN); resource.setrlimit(resource.RLIMIT_FSIZE, (20000, 20000))\n"
        "frames = np.random.default_rng(0).integers(0, 256, (16, 48, 64, 3), dtype=np.uint8)\n"
        "write_clip(frames, np.arange(16.0), Path(sys.argv[1]) / 'clip.mp4')"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=False)
    assert f"StoreError: {tmp_path}/clip.mp4: the clip cannot be written (" in done.stderr
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_had_is_a_typed_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="cannot be written"):
        write_clip(noise(), seconds(16, 1.0), tmp_path / "file" / "clip.mp4")


def test_a_size_beyond_the_encoder_is_a_typed_error_and_leaves_no_file(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedVideoError, match="20000 x 2"):
        write_clip(np.zeros((1, 2, 20000, 3), np.uint8), np.zeros(1), tmp_path / "clip.mp4")
    assert not list(tmp_path.iterdir())


def test_a_clip_that_was_damaged_since_is_a_typed_error(tmp_path: Path) -> None:
    path = write_clip(noise(), seconds(16, 1.0), tmp_path / "clip.mp4")
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(DamagedVideoError, match="delete it"):
        read_clip(path)


def test_an_encoder_that_loses_bits_is_caught(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("egobench.interop.clips.OPTIONS", {"preset": "ultrafast", "qp": "20"})
    with pytest.raises(DamagedVideoError, match="does not decode into the frames"):
        write_clip(noise(), seconds(16, 1.0), tmp_path / "clip.mp4")
    assert not list(tmp_path.iterdir())


def test_a_clip_says_h264_and_rgb(tmp_path: Path) -> None:
    with av.open(str(write_clip(noise(), seconds(16, 1.0), tmp_path / "clip.mp4"))) as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ("h264", "gbrp")
