"""Makes test/data/pictures.json and test/data/matlab.json: small image files, sound and damaged, with the pixels that Pillow
reads in the sound ones, and MATLAB files as SciPy writes them.

    python scripts/data_fixtures.py      # needs pillow, numpy and scipy
"""
import base64
import io
import json
import os
import struct
import zlib

import numpy as np
import PIL
import scipy
from PIL import Image, ImageOps
from scipy.io import savemat
from scipy.sparse import csc_matrix

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../test/data")
SIGNATURE = b"\x89PNG\r\n\x1a\n"
ADAM7 = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]
CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
random = np.random.default_rng(0)

sound, refused = [], []


def text(data):
    return base64.b64encode(data).decode()


def good(name, data):
    """Adds a file that is to be read, with the pixels that Pillow reads."""
    image = ImageOps.exif_transpose(Image.open(io.BytesIO(data)))
    image = image.convert("L" if image.mode in ("1", "L", "LA") else "RGB")
    pixels = np.asarray(image)
    sound.append({"name": name, "file": text(data), "shape": [*pixels.shape, 1][:3], "pixels": text(pixels.tobytes())})


def bad(name, data, says):
    """Adds a file that is to be refused, with a part of the message."""
    refused.append({"name": name, "file": text(data), "says": says})


# PNG


def chunk(kind, data=b"", crc=None):
    sum32 = zlib.crc32(kind + data) if crc is None else crc
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", sum32)


def header(width, height, depth, colour, compression=0, filtering=0, interlace=0):
    return chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, compression, filtering, interlace))


def paeth(left, above, corner):
    nearest = min((abs(above - corner), 0, left), (abs(left - corner), 1, above), (abs(left + above - 2 * corner), 2, corner))
    return nearest[2]


def filtered(line, previous, bpp, kind):
    out = bytearray([kind])
    for i, value in enumerate(line):
        left = line[i - bpp] if i >= bpp else 0
        corner = previous[i - bpp] if i >= bpp else 0
        above = previous[i]
        out.append((value - [0, left, above, (left + above) // 2, paeth(left, above, corner)][kind]) % 256)
    return bytes(out)


def rows(samples, depth, interlace=0):
    """Filtered rows of samples [height, width, channels]; the filters take turns."""
    height, width, channels = samples.shape
    out, kind = b"", 0
    for x, y, right, down in ADAM7 if interlace else [(0, 0, 1, 1)]:
        part = samples[y::down, x::right]
        if part.size == 0:
            continue
        bits = (part.reshape(part.shape[0], -1, 1) >> np.arange(depth - 1, -1, -1)) & 1
        packed = np.packbits(bits.reshape(part.shape[0], -1).astype(np.uint8), axis=1)
        previous = bytes(packed.shape[1])
        for line in packed:
            out += filtered(line.tobytes(), previous, max(1, channels * depth // 8), kind % 5)
            previous, kind = line.tobytes(), kind + 1
    return out


def png(samples, depth=8, colour=2, interlace=0, before=b"", raw=None, packed=None, after=b"", end=chunk(b"IEND")):
    height, width = samples.shape[:2]
    raw = rows(samples, depth, interlace) if raw is None else raw
    packed = zlib.compress(raw) if packed is None else packed
    return SIGNATURE + header(width, height, depth, colour, interlace=interlace) + before + chunk(b"IDAT", packed) + after + end


def noise(height, width, channels, depth=8):
    return random.integers(0, 2**depth, (height, width, channels))


def palette(count):
    return chunk(b"PLTE", random.integers(0, 256, 3 * count).astype(np.uint8).tobytes())


def make_pngs():
    for interlace in (0, 1):
        for height, width in ((11, 13), (1, 1), (2, 5)):
            size = f"{width}x{height}{' interlaced' if interlace else ''}"
            for depth in (1, 2, 4, 8):
                good(f"png grey {depth} {size}", png(noise(height, width, 1, depth), depth, 0, interlace))
                good(f"png palette {depth} {size}", png(noise(height, width, 1, depth), depth, 3, interlace, palette(2**depth)))
            good(f"png rgb {size}", png(noise(height, width, 3), 8, 2, interlace))
            for colour in (4, 6):
                opaque = noise(height, width, CHANNELS[colour])
                opaque[..., -1] = 255
                good(f"png opaque {colour} {size}", png(opaque, 8, colour, interlace))
    image = noise(9, 6, 3)
    packed = zlib.compress(rows(image, 8))
    many = b"".join(chunk(b"IDAT", packed[i : i + 7]) for i in range(0, len(packed), 7))
    good("png in many chunks", SIGNATURE + header(6, 9, 8, 2) + chunk(b"tEXt", b"a\0b") + many + chunk(b"IEND"))
    unused = noise(9, 6, 1) % 3
    good("png transparent colour that no pixel has", png(unused, 8, 3, before=palette(4) + chunk(b"tRNS", b"\xff\xff\xff\0")))
    good("png clear grey that no pixel has", png(unused, 8, 0, before=chunk(b"tRNS", b"\0\x07")))
    good("png suggested palette", png(image, before=palette(5)))
    for orientation in range(1, 9):
        good(f"png orientation {orientation}", png(image, before=chunk(b"eXIf", exif(orientation, "<"))))
        good(f"png orientation {orientation} in XMP", png(image, before=xmp_chunk(xmp(orientation))))
    upside_down = chunk(b"eXIf", exif(3, "<"))
    good("png orientation after the data", png(image, after=chunk(b"eXIf", exif(6, ">"))))
    good("png orientation behind the name Exif", png(image, before=chunk(b"eXIf", b"Exif\0\0" + exif(6, "<"))))
    good("png orientation in packed XMP", png(image, after=xmp_chunk(xmp(6, element=True), packed=True)))
    good("png orientation in XMP beside EXIF data", png(image, before=xmp_chunk(xmp(6)) + upside_down))
    good("png orientation in XMP beside EXIF data without one", png(image, before=xmp_chunk(xmp(6)) + chunk(b"eXIf", exif(6, "<", tag=0x0110))))
    good("png orientation in a profile of ImageMagick", png(image, before=raw_profile(6, b"tEXt")))
    good("png orientation in a packed profile of ImageMagick", png(image, before=raw_profile(6, b"zTXt")))
    good("png orientation in a profile of ImageMagick beside EXIF data", png(image, before=raw_profile(6, b"zTXt") + upside_down))

    raw = rows(image, 8)
    level = noise(9, 6, 1)
    bad("png short last row", png(image, raw=raw[:-1]), "bytes of image data, and its 6×9 pixels need 171")
    bad("png one row short", png(image, raw=raw[:-19]), "152 bytes of image data, and its 6×9 pixels need 171")
    bad("png surplus byte", png(image, raw=raw + b"\0"), "more image data than its 6×9 pixels need 171 bytes")
    bad("png surplus rows", png(image, raw=raw * 3), "more image data than its 6×9 pixels need 171 bytes")
    bad("png bytes after the stream", png(image, packed=packed + b"abc"), "3 bytes after its image data")
    wrong = packed[:-1] + bytes([packed[-1] ^ 1])
    bad("png wrong Adler-32", png(image, packed=wrong), "cannot be decoded")
    bad("png stream cut", png(image, packed=packed[:-6]), "cannot be decoded")
    bad("png no stream", png(image, packed=b""), "cannot be decoded")
    bad("png palette type without palette", png(level % 2, 8, 3), "and no palette")
    bad("png index beyond the palette", png(level % 2 + 3, 8, 3, before=palette(4)), "colour 4 of a palette of 4")
    bad("png index beyond the palette, 2 bits", png(level % 4, 2, 3, before=palette(3)), "colour 3 of a palette of 3")
    bad("png palette of 257 colours", png(level, 8, 3, before=palette(257)), "a palette of 771 bytes")
    bad("png palette of 5 colours in 2 bits", png(level % 4, 2, 3, before=palette(5)), "a palette of 15 bytes")
    bad("png palette of 4 bytes", png(level % 2, 8, 3, before=chunk(b"PLTE", b"abcd")), "a palette of 4 bytes")
    bad("png empty palette", png(level % 2, 8, 3, before=chunk(b"PLTE")), "a palette of 0 bytes")
    bad("png palette after the data", png(level % 2, 8, 3, after=palette(2)), "a chunk PLTE after the image data")
    bad("png two palettes", png(level % 2, 8, 3, before=palette(2) + palette(2)), "two chunks PLTE")
    bad("png tRNS before its palette", png(level % 2, 8, 3, before=chunk(b"tRNS", b"\xff") + palette(2)), "before its palette")
    bad("png tRNS longer than its palette", png(level % 2, 8, 3, before=palette(2) + chunk(b"tRNS", b"\xff" * 3)), "tRNS of 3 bytes")
    bad("png tRNS of grey with 3 bytes", png(level, 8, 0, before=chunk(b"tRNS", b"abc")), "tRNS of 3 bytes")
    bad("png tRNS beside alpha", png(noise(9, 6, 4), 8, 6, before=chunk(b"tRNS", b"\0" * 8)), "tRNS of 8 bytes")
    bad("png transparent palette", png(level % 2, 8, 3, before=palette(2) + chunk(b"tRNS", b"\xfe")), "has transparent pixels")
    bad("png transparent grey", png(level * 0 + 7, 8, 0, before=chunk(b"tRNS", b"\0\x07")), "has transparent pixels")
    clear = struct.pack(">HHH", *image[3, 3])
    bad("png transparent rgb", png(image, before=chunk(b"tRNS", clear)), "has transparent pixels")
    bad("png 16 bits", png(noise(9, 6, 3, 16), 16, 2), "16 bits a channel")
    bad("png two headers", png(image, before=header(6, 9, 8, 2)), "a chunk IHDR where none belongs")
    bad("png unknown critical chunk", png(image, before=chunk(b"ABCD", b"x")), "a chunk ABCD where none belongs")
    split = SIGNATURE + header(6, 9, 8, 2) + chunk(b"IDAT", packed[:20]) + chunk(b"tEXt", b"a\0b") + chunk(b"IDAT", packed[20:])
    bad("png chunk within the data", split + chunk(b"IEND"), "within the image data")
    bad("png no data", SIGNATURE + header(6, 9, 8, 2) + chunk(b"IEND"), "no image data")
    bad("png no header", SIGNATURE + chunk(b"IDAT", packed) + chunk(b"IEND"), "no header")
    bad("png no IEND", png(image, end=b""), "without an IEND chunk")
    bad("png IEND cut", png(image)[:-2], "without an IEND chunk")
    bad("png IEND that is not empty", png(image, end=chunk(b"IEND", b"x")), "an IEND chunk that is not empty")
    bad("png bytes after its end", png(image) + b"abc", "3 bytes after its end")
    bad("png wrong signature", b"\x89PNG\n\x1a\n" + png(image)[8:], "a wrong signature")
    for kind, data in ((b"IHDR", None), (b"IDAT", packed), (b"tEXt", b"a\0b"), (b"IEND", b"")):
        if kind == b"IHDR":
            whole = bytearray(png(image))
            whole[29] ^= 1
            data = bytes(whole)
        else:
            good_chunk, wrong_chunk = chunk(kind, data), chunk(kind, data, crc=1)
            data = png(image, before=chunk(b"tEXt", b"a\0b")).replace(good_chunk, wrong_chunk)
        bad(f"png wrong checksum of {kind.decode()}", data, f"a wrong checksum of the chunk {kind.decode()}")
    broken = chunk(b"tEXt", b"Raw profile type exif\0\nexif\n      14\n4578690z")
    bad("png profile of ImageMagick that is no hexadecimal", png(image, before=broken), "no hexadecimal digits")
    broken = chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0abc")
    bad("png damaged packed XMP", png(image, before=broken), "a text about its orientation")
    long = chunk(b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(bytes(2**20 + 1), 9))
    bad("png profile of ImageMagick that is too long", png(image, before=long), "a text of more than 1048576 bytes")
    bad("png filter 5", png(image, raw=b"\x05" + raw[1:]), "a row of filter 5")
    body = chunk(b"IDAT", packed) + chunk(b"IEND")
    bad("png no width", SIGNATURE + header(0, 9, 8, 2) + body, "0×9 pixels")
    bad("png 3 bits", SIGNATURE + header(6, 9, 3, 0) + body, "colour type 0 of 3 bits")
    bad("png palette of 16 bits", SIGNATURE + header(6, 9, 16, 3) + body, "colour type 3 of 16 bits")
    bad("png colour type 5", SIGNATURE + header(6, 9, 8, 5) + body, "colour type 5 of 8 bits")
    bad("png interlace 2", SIGNATURE + header(6, 9, 8, 2, interlace=2) + body, "interlace 2")
    bad("png compression 1", SIGNATURE + header(6, 9, 8, 2, compression=1) + body, "compression 1")
    bad("png of 100000×100000 pixels", SIGNATURE + header(100000, 100000, 8, 2) + body, "100000×100000 pixels; expected at most")
    bomb = zlib.compress(b"\0" * 5_000_000, 9)
    bad("png of small size with much data", SIGNATURE + header(6, 9, 8, 2) + chunk(b"IDAT", bomb) + chunk(b"IEND"), "more image data")


# JPEG


def exif(orientation, order, kind=3, tag=0x0112):
    value = {1: "BBBB", 3: "HH", 4: "I", 8: "hh", 9: "i"}[kind]
    entry = struct.pack(order + "HHI", tag, kind, 1) + struct.pack(order + value, orientation, *[0] * (len(value) - 1))
    other = struct.pack(order + "HHII", 0x0100, 4, 1, 99)
    return (b"II" if order == "<" else b"MM") + struct.pack(order + "HIH", 42, 8, 2) + other + entry + b"\0\0\0\0"


def xmp(orientation, element=False):
    """XMP data with an orientation, as an attribute or as an element."""
    inside = f"><tiff:Orientation>{orientation}</tiff:Orientation></r:Description>" if element else f' tiff:Orientation="{orientation}"/>'
    return f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><r:RDF><r:Description{inside}</r:RDF></x:xmpmeta>'.encode()


def xmp_chunk(data, packed=False):
    return chunk(b"iTXt", b"XML:com.adobe.xmp\0" + bytes([packed, 0]) + b"\0\0" + (zlib.compress(data) if packed else data))


def raw_profile(orientation, kind):
    """EXIF data as ImageMagick wrote them into PNG files before the standard had a chunk for them."""
    data = b"Exif\0\0" + exif(orientation, "<")
    lines = f"\nexif\n{len(data):8}\n{data.hex()[:72]}\n{data.hex()[72:]}\n".encode()
    return chunk(kind, b"Raw profile type exif\0" + (b"\0" + zlib.compress(lines) if kind == b"zTXt" else lines))


def segments(data):
    """The segments before the first scan, each with its marker, and the rest."""
    found, at = [], 2
    while data[at + 1] != 0xDA:
        length = struct.unpack(">H", data[at + 2 : at + 4])[0]
        found.append((data[at + 1], data[at : at + 2 + length]))
        at += 2 + length
    return found, data[at:]


def join(found, rest):
    return b"\xff\xd8" + b"".join(data for _, data in found) + rest


def segment(marker, data):
    return (marker, bytes([0xFF, marker]) + struct.pack(">H", len(data) + 2) + data)


def adobe(transform):
    return segment(0xEE, b"Adobe" + struct.pack(">HHHB", 100, 0, 0, transform))


def with_names(found, rest, names):
    """Gives the components other names, in the frame header and in the first scan."""
    out = []
    for marker, data in found:
        if marker == 0xC0:
            data = bytearray(data)
            for i, name in enumerate(names):
                data[10 + 3 * i] = name
        out.append((marker, bytes(data)))
    rest = bytearray(rest)
    for i, name in enumerate(names):
        rest[5 + 2 * i] = name
    return out, bytes(rest)


def make_jpegs():
    y, x = np.mgrid[:19, :26]
    picture = np.stack([(x * 9) % 256, (y * 13) % 256, (x * y) % 256], -1).astype(np.uint8)
    picture[4:12, 4:12] = [255, 0, 0]
    image = Image.fromarray(picture)

    def jpeg(of=image, **options):
        out = io.BytesIO()
        of.save(out, "JPEG", **{"quality": 90, **options})
        return out.getvalue()

    full = jpeg(subsampling=0)
    good("jpeg 4:4:4", full)
    good("jpeg 4:2:2", jpeg(subsampling=1))
    good("jpeg 4:2:0", jpeg(subsampling=2))
    good("jpeg progressive", jpeg(progressive=True))
    good("jpeg restarts", jpeg(restart_marker_blocks=2))
    good("jpeg grey", jpeg(image.convert("L")))
    good("jpeg followed by text", full + b"text after the end marker")
    good("jpeg followed by zeros", full + bytes(100))
    good("jpeg followed by another", full + jpeg(image.convert("L")))
    found, rest = segments(full)
    good("jpeg with fill bytes", b"\xff\xd8" + b"\xff" * 3 + join(found, rest)[2:])
    plain = [(marker, data) for marker, data in found if marker not in (0xE0, 0xEE)]
    good("jpeg without markers of its colours", join(plain, rest))
    good("jpeg of Adobe's transform 1", join([adobe(1), *plain], rest))
    good("jpeg of Adobe's transform 0", join([adobe(0), *plain], rest))
    good("jpeg of Adobe's transform 0 in JFIF", join([*found, adobe(0)], rest))
    for names in (b"RGB", b"rgb", b"\0\1\2", b"YCc"):
        good(f"jpeg of components {list(names)}", join(*with_names(plain, rest, names)))
    red = jpeg(keep_rgb=True)
    good("jpeg of RGB, as Pillow saves it", red)
    found_rgb, rest_rgb = segments(red)
    no_adobe = [(marker, data) for marker, data in found_rgb if marker != 0xEE]
    good("jpeg of RGB by its names alone", join(no_adobe, rest_rgb))
    for orientation in range(0, 10):
        for order in "<>":
            marked = segment(0xE1, b"Exif\0\0" + exif(orientation, order))
            good(f"jpeg orientation {orientation} {order}", join([found[0], marked, *found[1:]], rest))
    for kind in (1, 4, 8, 9):
        marked = segment(0xE1, b"Exif\0\0" + exif(6, "<", kind))
        good(f"jpeg orientation as type {kind}", join([found[0], marked, *found[1:]], rest))
    in_xmp = segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + xmp(6))
    good("jpeg orientation in XMP", join([found[0], in_xmp, *found[1:]], rest))
    for name, marked in (("", exif(3, "<")), (" without one", exif(3, "<", tag=0x0110)), (" of orientation 0", exif(0, "<"))):
        beside = [found[0], in_xmp, segment(0xE1, b"Exif\0\0" + marked), *found[1:]]
        good(f"jpeg orientation in XMP beside EXIF data{name}", join(beside, rest))
    good("jpeg of EXIF data cut short", join([segment(0xE1, b"Exif\0\0MM\0*\0\0"), *found], rest))
    good("jpeg of other data in APP1", join([segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0<x/>"), *found], rest))
    good("jpeg of standard Huffman tables left out", join([s for s in found if s[0] != 0xC4], rest))
    good("jpeg grey orientation 8", jpeg(image.convert("L"), exif=exif_of(8)))

    bad("jpeg without its end marker", full[:-2], "cannot be decoded")
    bad("jpeg cut in its data", full[:-200], "cannot be decoded")
    bad("jpeg cut in its header", full[:300], "cannot be decoded")
    bad("jpeg cut after two bytes", full[:2], "no frame header")
    bad("jpeg of header alone", join(found, b"\xff\xd9"), "no frame header" if not found else "cannot be decoded")
    bad("jpeg without a frame header", join([s for s in found if s[0] != 0xC0], rest), "no frame header")
    noise_at = len(full) - 400
    bad("jpeg with wrong data", full[:noise_at] + b"\x55" * 200 + full[noise_at + 200 :], "cannot be decoded")
    bad("jpeg of CMYK", jpeg(image.convert("CMYK")), "4 colour components (CMYK)")
    bad("jpeg of YCCK", cmyk_of_transform_2(jpeg(image.convert("CMYK"))), "4 colour components (CMYK)")

    def frame(**changed):
        out = []
        for marker, data in found:
            if marker == 0xC0:
                bits, height, width, count = struct.unpack(">BHHB", data[4:10])
                values = {"bits": bits, "height": height, "width": width, "count": count, **changed}
                data = data[:4] + struct.pack(">BHHB", *[values[key] for key in ("bits", "height", "width", "count")]) + data[10:]
            out.append((marker, data))
        return join(out, rest)

    bad("jpeg of 12 bits", frame(bits=12), "12 bits a channel")
    bad("jpeg of two components", frame(count=2), "2 colour components")
    bad("jpeg without height", frame(height=0), "26×0 pixels")
    bad("jpeg of 65535×65535 pixels", frame(height=65535, width=65535), "65535×65535 pixels; expected at most")
    bad("jpeg of 4000×4000 pixels with little data", frame(height=4000, width=4000), "cannot be decoded")
    bad("jpeg of 501 scans", join(found, rest[:-2] + b"\xff\xda\0\x08\1\1\0\0\x3f\0" * 501 + b"\xff\xd9"), "more than 500 scans")


def exif_of(orientation):
    marked = Image.Exif()
    marked[0x0112] = orientation
    return marked


def cmyk_of_transform_2(data):
    found, rest = segments(data)
    return join([adobe(2) if marker == 0xEE else (marker, data) for marker, data in found], rest)


# MATLAB


def make_matlab():
    """SVHN's files as SciPy saves them: two images and their labels, beside variables of every kind."""
    row, column, channel, image = np.ogrid[:32, :32, :3, :2]
    X = (row + 8 * (column // 4) + 50 * channel + 5 * image).astype(np.uint8)
    labels = np.array([10, 7])
    others = {
        "note": "saved again",
        "record": {"a": 1, "b": [1, 2]},
        "cells": np.array([1, "x"], dtype=object),
        "sparse": csc_matrix(np.eye(3)),
        "complex": np.array([1 + 2j]),
        "big": np.array([2**60]),
        "flag": np.array([True, False]),
    }
    files = {}

    def save(name, arrays, **options):
        out = io.BytesIO()
        savemat(out, arrays, **options)
        files[name] = text(out.getvalue())

    for dtype in ("int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64", "float32", "float64"):
        save(f"{dtype} labels", {"X": X, "y": labels.astype(dtype)[:, None]}, do_compression=True)
    for compressed in (False, True):
        packing = "compressed" if compressed else "plain"
        save(f"other variables, {packing}", {**others, "X": X, "y": labels, "z": X}, do_compression=compressed)
    save("labels first", {"y": labels, "X": X}, do_compression=True)
    save("labels in a column", {"X": X, "y": labels}, oned_as="column", do_compression=True)
    save("pixels as int64", {"X": X.astype(np.int64), "y": labels}, do_compression=True)
    save("pixels as doubles", {"X": X.astype(np.float64), "y": labels}, do_compression=True)
    return {
        "versions": {"numpy": np.__version__, "scipy": scipy.__version__},
        "images": text(np.ascontiguousarray(X.transpose(3, 0, 1, 2)).tobytes()),
        "labels": (labels % 10).tolist(),
        "files": files,
        "refused": {
            "pixels from 0 to 1": matlab_bytes({"X": X / 255, "y": labels}),
            "labels from 0": matlab_bytes({"X": X, "y": labels % 10}),
            "labels one too many": matlab_bytes({"X": X, "y": [1, 2, 3]}),
            "text for labels": matlab_bytes({"X": X, "y": "17"}),
            "complex labels": matlab_bytes({"X": X, "y": labels + 1j}),
            "labels in a square": matlab_bytes({"X": X.repeat(2, axis=3), "y": [[1, 2], [3, 4]]}),
            "images first": matlab_bytes({"X": X.transpose(3, 0, 1, 2), "y": labels}),
            "version 4": matlab_bytes({"y": labels}, format="4"),
            "no images": matlab_bytes({"y": labels}),
        },
    }


def matlab_bytes(arrays, **options):
    out = io.BytesIO()
    savemat(out, arrays, do_compression=options.get("format") != "4", **options)
    return text(out.getvalue())


def write(name, content):
    with open(os.path.join(HERE, name), "w") as file:
        json.dump(content, file, indent=1, ensure_ascii=False)
        file.write("\n")


make_pngs()
make_jpegs()
write("pictures.json", {"versions": {"numpy": np.__version__, "pillow": PIL.__version__}, "sound": sound, "refused": refused})
write("matlab.json", make_matlab())
