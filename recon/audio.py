"""Recordings in and out: whole folders to train on, and files of any length block by block."""

import fnmatch
import functools
import hashlib
import io
import os
import re
import shutil
import struct
import tempfile
import zlib
from contextlib import ExitStack, contextmanager, suppress
from mmap import ACCESS_READ, mmap
from pathlib import Path
from statistics import mode

import numpy as np
import soundfile
import soxr

from recon import checks, settings
from recon.checks import require
from recon.quiet import silence

BITS = {"PCM_S8": 8, "PCM_U8": 8, "PCM_16": 16, "PCM_24": 24, "PCM_32": 32}
BITS |= {f"ALAC_{bits}": bits for bits in (16, 20, 24, 32)}
BYTES = {subtype: -(-bits // 8) for subtype, bits in BITS.items()} | {"FLOAT": 4, "DOUBLE": 8}
BYTES |= {"ULAW": 1, "ALAW": 1}
LARGEST = 2**32 - 2**16  # bytes of samples in a format that counts them in 32 bits
SIZED = {"WAV", "WAVEX", "AIFF", "AU", "SVX", "NIST"}  # which are these
# Of samples beyond full scale all others make something else: a step, or their opposite.
UNBOUNDED = {"FLOAT", "DOUBLE", "VORBIS", "OPUS"}
DIGITS = "*_[0-4].*"  # the test files of the Free Spoken Digit Dataset
QUIET = 1e-4  # of full scale, the dither of 16 bits: what never leaves it is silence
# Sizes that SoX, arecord and others write to a pipe; SoX's is a multiple of a frame.
UNKNOWN = {*range(0x7FFFE001, 0x7FFFF001), 0x80000000, 2**32 - 1, 2**63 - 1, 2**64 - 1}
ENDLESS = 2**63 - 1  # frames in a stream of FLAC
# First bytes of a file: where its chunks begin, how each of them does, how many bytes its size
# leaves out, of how many its place is a multiple, and the size that is said of no samples.
CHUNKS = dict.fromkeys((b"RIFF", b"RF64"), (12, "<4sI", 8, 2, 0))
CHUNKS |= {b"RIFX": (12, ">4sI", 8, 2, 0), b"FORM": (12, ">4sI", 8, 2, 8)}
CHUNKS |= {b"caff": (8, ">4sQ", 12, 1, 4), b"riff": (40, "<4s12xQ", 0, 8, 24)}
# What libsndfile's log says of a file and may not be in a copy: markers, what broadcasters and
# samplers note, covers, which loudspeaker a channel is for.
BESIDES = re.compile(
    r"^ *(?:\*{3} )?((?:cue |MARK|bext|iXML|axml|smpl|inst|id3 )(?= ?: \d)"
    r"|Channel Mask +: \w+|(?:Cuesheet|Picture) Metadata)",
    re.MULTILINE,
)
# How a file of FLAC begins, and one of MP3, layer III, that says how long it is.
BEGINS = {
    "FLAC": re.compile(rb"fLaC[\x00\x80]\x00\x00\x22"),
    "MP3": re.compile(
        rb"\xff[\xe2\xe3\xf2\xf3\xfa\xfb][^\xf0-\xff].(?:.{9}|.{17}|.{32})(?:Xing|Info)", re.DOTALL
    ),
}
MIRRORED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))
SHORTEST = 32  # samples of a recording to train on or to score: as many as a baseline looks at


class _File(io.FileIO):
    """A file some bytes of which are read as others, or whose end seems far off."""

    place, others, endless, ended = 0, b"", False, False

    def seek(self, place, whence=0):
        self.ended = self.endless and whence == io.SEEK_END
        return 2**62 if self.ended else super().seek(place, whence)

    def tell(self):
        return 2**62 if self.ended else super().tell()

    def readinto(self, buffer):
        start = self.tell()
        count = super().readinto(buffer)
        for at, byte in enumerate(self.others, self.place - start):
            if 0 <= at < count:
                buffer[at : at + 1] = bytes([byte])
        return count


class _Recording(soundfile.SoundFile):
    """A recording under its own name, of as many frames as were counted."""

    name = count = whole = None
    frames = property(lambda self: super().frames if self.count is None else self.count)

    def seekable(self):  # else soundfile seeks after each block, which fails where a file is cut
        return self.count is None and super().seekable()

    def rewind(self):
        """Open it once more: not every codec can go back."""
        self.close()
        source = super().name
        if isinstance(source, _File):
            source.seek(0)
        super().__init__(source)

    def counted(self):
        """How many frames can be read, and whether these are all."""
        said, self.count = self.frames, ENDLESS
        count, block = 0, np.empty((4096, self.channels), np.float32)
        with suppress(soundfile.SoundFileError):
            while more := len(self.read(out=block)):
                count += more
            return count, said in (count, ENDLESS)
        return self.tell(), False


@contextmanager
def reading(path, *, partial=False):
    """Open a recording of any format that libsndfile reads, with samples in it.

    Args:
        path: of the file.
        partial: whether it may have been cut short; it then ends where it was cut.

    Yields:
        soundfile.SoundFile, with its samplerate, channels, frames, format and subtype; `whole` are
        the frames of which these are left, None where that is not known.

    Raises:
        ValueError: if it is missing, no audio, empty, damaged, shorter than its own header says, or
            more than one recording.
    """
    require(isinstance(path, str | os.PathLike), "input must be a path", repr(path))
    path = Path(path)
    if not os.path.isfile(path):  # Path.is_file raises for names that no file can have
        what = "a folder" if os.path.isdir(path) else "no file"
        what = what if os.path.exists(path) else "nothing there"
        raise ValueError(f"input must be an audio file, got {str(path)!r}: {what}")
    with ExitStack() as files:
        # A file without a header is answered with a TypeError.
        with _reported("read", path, TypeError), silence():
            raw = files.enter_context(_File(path))
            place, number, said, there = _sizes(raw)
            raw.seek(0)
            unknown = said in UNKNOWN
            beyond = there - (0 if unknown else said) >= 256 ** struct.calcsize(number)
            rule = "input must be of a format that holds 4 GiB or more"
            require(not beyond, rule, repr(str(path)))
            fault = "was cut short" if said > there and not unknown else ""
            if place and (fault or unknown):
                raw.place, raw.others = place, struct.pack(number, max(there, 0))
            file = files.enter_context(_Recording(raw if raw.others else _name(path)))
            if file.format == "MP3":  # libsndfile guesses its length from that of the file
                raw.endless = True
                file = files.enter_context(_Recording(raw))
            whole = round(file.frames * said / max(there, 1)) if fault else file.frames
            if file.format == "OGG" and (fault := _ogg_fault(path)):
                whole = None
            if file.format in BEGINS and not fault:
                with mmap(raw.fileno(), 0, access=ACCESS_READ) as content:  # two, laid end to end
                    several = len(BEGINS[file.format].findall(content)) > 1
                    fault = "holds several recordings" if several else ""
            if partial or file.frames == ENDLESS:
                file.count, complete = file.counted()
                fault = fault or ("" if complete else "was cut short")
            whole = whole if fault else file.frames
            file.name, file.whole = path, None if whole == ENDLESS else whole
        require(file.frames > 0, "input must hold at least one sample", f"none in {str(path)!r}")
        # As of 24 bits in 4 bytes, which would be read as noise.
        odd = re.search(r"Block Align.*should be.*|detection failed", file.extra_info)
        rule, found = "input must agree with its header", f"{str(path)!r}: {odd and odd[0]}"
        require(not odd or file.subtype not in BITS, rule, found)
        found = f"{str(path)!r}, which {fault}"
        require(partial or not fault, "input must be complete, or partial=True", found)
        yield file


def _name(path):
    """A path as the system has it, where soundfile takes text for nothing but UTF-8."""
    return os.fsencode(path) if os.name == "posix" else path


def _sizes(file):
    """Where and how a file says how many bytes of samples it holds, how many, how many follow.

    A file that says none and goes on, but not with chunks, was left so by a recorder that could not
    end it, and says that it does not know.
    """
    magic, length = file.read(4), os.fstat(file.fileno()).st_size
    if magic == b".snd":
        start, said = struct.unpack(">II", file.read(8).ljust(8, b"\0"))
        return 8, ">I", said or 2**32 - 1, length - start
    at, form, uncounted, step, empty = CHUNKS.get(magic, (length, "<4sI", 0, 1, 0))
    width, wide, found = struct.calcsize(form), None, (0, "<I", 0, 0)
    while at < length:
        file.seek(at)
        name, size = struct.unpack(form, file.read(width).ljust(width, b"\0"))
        if not re.fullmatch(b"[ -~]{4}", name):
            break
        if name == b"ds64":
            wide = at + 16
        elif name in (b"data", b"SSND", b"BODY") and not found[0]:
            place, number = at + width - struct.calcsize(form[-1]), form[0] + form[-1]
            if wide:
                place, number = wide, "<Q"
                file.seek(place)
                (size,) = struct.unpack(number, file.read(8).ljust(8, b"\0"))
            found = place, number, size, length - at - uncounted
            if size > empty:
                return found
        at += max(width, uncounted + size)
        at += -at % step
    return found if length <= at < length + step else (*found[:2], 2**32 - 1, found[3])


def _ogg_fault(path):
    """What keeps a file of Ogg pages from being one whole recording, in words; "" for nothing.

    Source: RFC 3533, "The Ogg Encapsulation Format Version 0".
    """
    numbers, flags, begun = {}, 0, False
    with open(path, "rb") as file:
        file.seek(max(0, file.read(2**20).find(b"OggS")))  # behind a tag that others put there
        while (head := file.read(27))[:4] == b"OggS":
            sizes = file.read(head[26]) if len(head) == 27 else b""
            page = b"".join([head[:22], bytes(4), head[26:], sizes, file.read(sum(sizes))])
            if len(head) < 27 or len(page) < 27 + head[26] + sum(sizes):
                return "was cut short"
            # Their check sum is that of zlib, with all bits in the other order.
            found = zlib.crc32(page.translate(MIRRORED), 2**32 - 1) ^ (2**32 - 1)
            flags, stream, number = head[5], head[14:18], int.from_bytes(head[18:22], "little")
            if flags & 2 and begun:
                return "holds several recordings"
            right = head[22:26] == found.to_bytes(4, "big").translate(MIRRORED)
            if not right or number != numbers.setdefault(stream, number):
                return "is damaged"
            numbers[stream], begun = number + 1, begun or not flags & 2
    return "" if flags & 4 else "was cut short"


def extent(file):
    """How many seconds of a recording there are, of how many, in words."""
    said = f"{file.frames / file.samplerate:.1f} s"
    if file.whole is None:
        return f"{said} of an unknown length"
    missing = file.whole > file.frames
    return f"{said} of {file.whole / file.samplerate:.1f} s" if missing else said


def lost(source, path):
    """What of a recording its copy does not have, in a few words each."""
    with _reported("read", path), soundfile.SoundFile(_name(path)) as copy:
        tags, others = source.copy_metadata(), copy.copy_metadata()
        gone = set(BESIDES.findall(source.extra_info)) - set(BESIDES.findall(copy.extra_info))
        for tag, text in tags.items():  # U+FFFD stands for what was not UTF-8
            gone |= {tag} if text and (others.get(tag) != text or "\ufffd" in text) else set()
        if copy.subtype != source.subtype:
            yield f"written as {copy.subtype}"
    if gone:
        yield f"not kept: {', '.join(sorted(' '.join(name.split()) for name in gone))}"


def first_knot(blocks, hold_length):
    """Where the first new value of a recording that is held may stand.

    Args:
        blocks: iterable of arrays [n_samples, channels], in order.
        hold_length: samples per knot.

    Returns:
        int, samples from the start, less than `hold_length`; 0 if nothing ever changes.

    Raises:
        ValueError: if the recording is not held for that long.
    """
    changes, last, start = [], None, 0
    for block in blocks:
        block = block if last is None else np.concatenate([last, block])
        changes.append(start + np.flatnonzero((block[1:] != block[:-1]).any(axis=1)) + 1)
        start, last = start + len(block) - 1, block[-1:]
    changes = np.concatenate(changes)
    found = int(np.gcd.reduce(np.diff(changes)))  # 0 for less than two changes
    fits = found == hold_length or (found % hold_length == 0 and len(changes) <= hold_length)
    rule = f"samples must be held for {hold_length} samples each"
    require(fits, rule, found if found > 1 else "none that are held")
    return int(changes[0]) % hold_length if len(changes) else 0


def blocks(file, block_length):
    """A recording's samples from the first to the last, as they are asked for.

    Args:
        file: what `reading` yields.
        block_length: samples per block; the last one may be shorter.

    Yields:
        float32 arrays [n_samples, channels].

    Raises:
        ValueError: if there are fewer samples than the header says, or one is not finite.
    """
    with _reported("read", file.name), silence():
        file.rewind()
    for start in range(0, file.frames, block_length):
        block = np.empty((min(block_length, file.frames - start), file.channels), np.float32)
        count, rule = 0, "input must be complete, or partial=True"
        with _reported("read", file.name), suppress(soundfile.SoundFileError), silence():
            count = len(file.read(out=block))
        found = f"{start + count} samples of {file.frames} in {str(file.name)!r}"
        require(count == len(block), rule, found)
        if place := checks.outside(block):
            found = f"{block[tuple(place)]} at sample {start + place[0]} of channel {place[1]}"
            raise ValueError(f"input must be {checks.FINITE}, got {found} in {str(file.name)!r}")
        yield block


def resampled(stream, sample_rate, target_rate, channels):
    """Convert the rate of a signal that arrives in blocks, as if it were whole.

    Args:
        stream: iterable of float32 arrays [n_samples, channels].
        sample_rate, target_rate: Hz; equal rates change nothing.
        channels: number of them.

    Yields:
        float32 arrays [n_samples, channels], aligned with the input: sample n is at the time
        n / target_rate.
    """
    if sample_rate == target_rate:
        yield from stream
        return
    resampler = soxr.ResampleStream(sample_rate, target_rate, channels, dtype="float32")
    for block in stream:
        yield resampler.resample_chunk(block)
    yield resampler.resample_chunk(np.zeros((0, channels), np.float32), last=True)


@contextmanager
def writing(path, source, *, factor=1, subtype=None, overwrite=False):
    """Create a recording that appears under its name only when it is complete.

    It is written beside its place and moved there at the end. Whatever happens before, a full disk
    or an interrupt, leaves no file, and an old one as it was. A link stays one.

    Args:
        path: of the new file; its suffix decides the format.
        source: soundfile.SoundFile to be like: rate, channels, tags, and the subtype where the
            format gives such samples back, else the format's own.
        factor: how many samples it has for one of the source, and how many times its rate.
        subtype: of the samples, if it shall differ, such as "FLOAT".
        overwrite: whether an existing file may be replaced.

    Yields:
        soundfile.SoundFile to write [n_samples, channels] to.

    Raises:
        ValueError: if the file exists, is the source itself, cannot be written, or its format does
            not hold such samples, or as many.
    """
    require(isinstance(path, str | os.PathLike), "output must be a path", repr(path))
    named, asked, subtype = str(path), subtype, (subtype or source.subtype).upper()
    with _reported("write", named, ValueError):
        path = Path(os.path.realpath(path))
        there = path.exists()
    if there:
        what = "a folder" if path.is_dir() else "none"
        require(path.is_file(), "output must be a file", f"{named!r}: {what}")
        same = path.samefile(source.name)
        require(not same, "output must not be the input", f"{named!r} for both")
        require(overwrite, "output must not exist", f"{named!r} (overwrite replaces it)")
    require(path.parent.is_dir(), "output must lie in a folder that exists", repr(named))
    alike = path.suffix.lower() == Path(source.name).suffix.lower()
    kind = source.format if alike else path.suffix[1:].upper()
    kind = {"AIF": "AIFF", "OGA": "OGG", "OPUS": "OGG"}.get(kind, kind)
    apart = ("RAW", "SD2")  # no header, or one in a file of its own
    known = kind not in apart and kind in soundfile.available_formats()
    require(known, "output must end in the suffix of an audio format", repr(named))
    rate, channels = factor * source.samplerate, source.channels
    if not asked and path.suffix.lower() == ".opus":
        subtype = "OPUS"
    elif not asked and not _holds(kind, subtype, rate, channels):
        subtype = soundfile.default_subtype(kind)
    rule = "output must be of a format that holds "
    what = f"{channels} channel{'s' * (channels > 1)} of {subtype} samples at {rate:,} Hz"
    require(_holds(kind, subtype, rate, channels), rule + what, kind)
    frames = factor * source.frames
    size = frames * source.channels * BYTES.get(subtype, 0)
    if kind in SIZED and size > LARGEST:
        require(kind in ("WAV", "WAVEX"), f"{rule}more than 4 GiB", kind)
        kind = "RF64"  # a WAV file but for its size
    about = {"samplerate": rate, "channels": channels, "format": kind, "subtype": subtype}
    with _reported("write", named), settings.replacing(path) as beside:
        open(beside, "xb").close()  # the system says best why it cannot be
        if there:
            shutil.copymode(path, beside)
        with soundfile.SoundFile(_name(beside), "w", **about) as file:
            for tag, text in source.copy_metadata().items():
                with suppress(soundfile.SoundFileError):  # an empty one, or a format has none
                    setattr(file, tag, text)
            yield file
        if kind == "AIFF" and size % 2:
            _unpad(beside, frames, size)
        found = soundfile.info(_name(beside)).frames
        rule = f"output must hold {frames} samples"
        require(found >= frames, rule, f"{found} in {named!r} (is the disk full?)")
        fills = subtype not in BYTES  # some codecs fill a last block
        require(found == frames or fills, rule, f"{found} of {subtype} in {kind}")
        alone = overwrite or not os.path.lexists(path)  # nobody wrote it meanwhile
        require(alone, "output must not exist", f"{named!r} (overwrite replaces it)")


def _holds(kind, subtype, rate, channels):
    """Whether what is written in a format comes back: libsndfile says so of MP3 within WAV, of ALAC
    of 24 bits, and of rates that a format then changes."""
    if subtype == "VORBIS" and (rate > 200_000 or channels > 255):  # it ends the process
        return False
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, (4_100, channels))
    refused = (soundfile.SoundFileError, OverflowError, ValueError, TypeError)
    with suppress(*refused), io.BytesIO() as file, silence():
        soundfile.write(file, noise, rate, subtype, format=kind)
        file.seek(0)
        back, found = soundfile.read(file, always_2d=True)
        step = 2.0 ** (1 - BITS.get(subtype, 0))  # anything goes where samples are coded
        return found == rate and np.allclose(back[: len(noise)], noise, rtol=0, atol=step)
    return False


def _unpad(path, frames, size):
    """Say in an AIFF file what it holds; libsndfile counts the byte that makes its size even."""
    with open(path, "r+b") as file:
        place, number, *_ = _sizes(file)
        file.seek(0)
        counts = file.read(64).find(b"COMM") + 10
        for at, count in ((place, size + 8), (counts, frames)):
            file.seek(at)
            file.write(struct.pack(number, count))


def write(target, block):
    """Write samples [n_samples, channels] to what `writing` yields.

    Integer formats get the nearest step. What exceeds full scale is clipped where the format does
    not hold it.

    Returns:
        How many samples exceed full scale.
    """
    exceeding = int(np.count_nonzero(np.abs(block) > 1))
    if target.subtype in BITS:
        steps = 2.0 ** (BITS[target.subtype] - 1)  # libsndfile alone would round downwards
        block = np.clip(np.rint(np.clip(block, -2, 2) * steps), -steps, steps - 1) / steps
    elif target.subtype not in UNBOUNDED:
        block = np.clip(block, -1, 1)
    try:
        target.write(block)
    except AssertionError as error:  # soundfile asserts that all was written
        raise OSError("the disk may be full") from error
    return exceeding


@contextmanager
def _reported(verb, path, *others):
    """Turn what libsndfile and the system say about a file into one line."""
    try:
        yield
    except (soundfile.SoundFileError, OSError, *others) as error:
        reason = getattr(error, "error_string", "") or getattr(error, "strerror", "") or str(error)
        reason = " ".join(reason.split()).rstrip(".")
        if verb == "read" and "not recognised" in reason:
            reason += " (another program has to convert it, such as ffmpeg)"
        noun = {"read": "input", "write": "output"}[verb]
        raise ValueError(f"{noun} must be a file to {verb}, got {str(path)!r}: {reason}") from error


@checks.checked(sample_rate=checks.SIZE)
def load(folder, *, sample_rate=None, partial=False):
    """Read every recording in a folder and its subfolders, of any rate and channel count.

    Channels are averaged, each recording is scaled to a peak of 1, so that damage relative to full
    scale is the same for loud and quiet ones, and those of another rate are converted. What is
    skipped is said in a line each, files of one suffix that are no audio in one, and what is
    converted unless a rate was asked for. The samples go to a temporary file, at 4 bytes each, that
    is gone with the process: a corpus does not have to fit in memory. Links are followed; what
    several lead to is read once.

    Args:
        folder: path of the folder.
        sample_rate: Hz, to convert to; None for the one that most recordings have.
        partial: whether recordings that were cut short are taken as far as they go.

    Returns:
        ({name: float32 array [n_samples] on disk}, sample_rate_hz), names relative to the folder,
        sorted.

    Raises:
        ValueError: if it is no folder, nothing in it can be used, or `sample_rate` is no whole
            number above 0.
    """
    is_folder = isinstance(folder, str | os.PathLike) and os.path.isdir(folder)
    require(is_folder, "folder must be a folder", repr(folder))
    paths, reasons = _files(folder)
    skipped, rates, spans = {reason: [reason] for reason in reasons}, {}, {}
    for path in paths:
        try:
            with reading(path, partial=partial) as file:
                rates[path] = file.samplerate
        except ValueError as reason:
            kind = path.suffix if "not recognised" in str(reason) else path
            skipped.setdefault(kind, []).append(str(reason))
    asked = sample_rate is not None
    if rates and not asked:
        sample_rate = mode(sorted(rates.values()))
    with tempfile.TemporaryFile() as store:
        for path, rate in rates.items():
            start = store.tell()
            try:
                peak = _store_mono(store, path, sample_rate, partial)
            except ValueError as reason:
                skipped[path] = [str(reason)]
                store.seek(start)
                continue
            except OSError as error:
                rule = "folder must fit where temporary files are kept"
                found = f"{tempfile.gettempdir()!r}: {error.strerror}"
                raise ValueError(f"{rule}, got {found}") from error
            name = path.relative_to(folder).as_posix()
            spans[name] = start // 4, store.tell() // 4, peak
            if rate != sample_rate and not asked:
                settings.say(f"converted from {rate} to {sample_rate} Hz: {name!r}")
        for reason, *more in skipped.values():
            alike = f"; and {len(more)} more like it" if more else ""
            settings.say(f"skipped: {reason}{alike}")
        require(spans, "folder must hold at least one usable recording", repr(str(folder)))
        store.truncate()
        samples = np.memmap(store, np.float32, "r+")  # outlives the file's name
    for start, stop, peak in spans.values():
        samples[start:stop] /= peak
    return {name: samples[start:stop] for name, (start, stop, _) in spans.items()}, sample_rate


def _files(folder):
    """The files in a folder and its subfolders, links followed, and why others are not read.

    What several names lead to is there once, under the first. A link to a folder around this one
    leads nowhere.
    """
    files, errors = {}, []
    folders = {str(path) for path in Path(folder).resolve().parents}
    for here, subfolders, names in os.walk(folder, onerror=errors.append, followlinks=True):
        subfolders.sort()
        if os.path.realpath(here) in folders:  # by another way, or round in a circle
            subfolders.clear()
            continue
        folders.add(os.path.realpath(here))
        for name in sorted(names):
            files.setdefault(os.path.realpath(os.path.join(here, name)), Path(here, name))
    rule = "input must be a folder to read"
    reasons = [f"{rule}, got {str(error.filename)!r}: {error.strerror}" for error in errors]
    return sorted(files.values()), reasons


def _store_mono(store, path, sample_rate, partial):
    """Append a recording to a file of float32 samples, as mono; returns its peak."""
    start, lowest, highest = store.tell(), np.inf, -np.inf
    with reading(path, partial=partial) as file:
        stream = blocks(file, 2**16)
        for block in resampled(stream, file.samplerate, sample_rate, file.channels):
            mono = block.mean(axis=1)
            lowest, highest = mono.min(initial=lowest), mono.max(initial=highest)
            store.write(mono.tobytes())
    store.flush()  # a full disk is said here
    n_samples = (store.tell() - start) // 4
    rule = f"input must hold at least {SHORTEST} samples at {sample_rate} Hz"
    require(n_samples >= SHORTEST, rule, f"{n_samples} in {str(path)!r}")
    heard = highest - lowest >= 2 * QUIET  # a constant is no sound either
    require(heard, "input must not be silent", repr(str(path)))
    return max(highest, -lowest)


def split(recordings, *, test=None):
    """Part recordings by file into training, validation and test, the same way every time.

    Of the files that are not for testing one in ten of all, drawn by a hash of its name, is for
    validation, half of them at most. Every part gets at least one file.

    Args:
        recordings: dict with at least three entries.
        test: pattern of the names of test files, as in `fnmatch`, or several; one with a slash is
            of whole names, "folder/*". None for those of the Free Spoken Digit Dataset, whose files
            end in an index and keep 0 to 4 for testing; where no name is like that, one file in
            ten, by hash too.

    Returns:
        Three dicts: training, validation, test.

    Raises:
        ValueError: if there are fewer than three recordings, or `test` matches none of them or
            leaves fewer than two.
    """
    require(len(recordings) > 2, "recordings must be at least 3 to split", len(recordings))
    order = sorted(recordings, key=lambda name: hashlib.sha256(os.fsencode(name)).hexdigest())
    tenth = -(-len(order) // 10)
    patterns = [DIGITS] if test is None else test
    held_out = [name for name in order if matches(name, patterns)]
    if not 0 < len(held_out) <= len(order) - 2:
        found = f"{len(held_out)} of {len(order)} with {test!r}"
        require(test is None, "test must match some recordings and leave two or more", found)
        held_out = order[:tenth]
    others = [name for name in order if name not in set(held_out)]
    cut = min(tenth, len(others) // 2)
    parts = others[cut:], others[:cut], held_out
    return tuple({name: recordings[name] for name in sorted(part)} for part in parts)


@checks.checked(name=checks.TEXT, patterns=checks.texts)
def matches(name, patterns):
    """Whether a recording's name is like one of the patterns, its folder where they name one."""
    file = name.rsplit("/")[-1]
    return any(fnmatch.fnmatch(name if "/" in like else file, like) for like in patterns)


def _opened(kind, rule):
    return functools.partial(checks.that, rule=rule, holds=lambda x: isinstance(x, kind))


checks.guard(
    __name__,
    block=functools.partial(checks.samples, dtype=None, shape=("n_samples", "channels")),
    file=_opened(_Recording, "what `reading` yields"),
    source=_opened(soundfile.SoundFile, "an open recording"),
    target=_opened(soundfile.SoundFile, "an open recording"),
)
