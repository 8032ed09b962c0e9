"""DICOM files as scanners write them, of any pixels."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, CTImageStorage, ExplicitVRLittleEndian, RLELossless

if TYPE_CHECKING:
    import numpy as np


def file_of(pixels: np.ndarray[Any, Any], syntax: UID = ExplicitVRLittleEndian, **more: Any) -> bytes:
    """A file of one picture, (H, W) or (H, W, 3), or of several in front."""
    made = Dataset()
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    made.file_meta.MediaStorageSOPClassUID = made.SOPClassUID = CTImageStorage
    made.file_meta.MediaStorageSOPInstanceUID = made.SOPInstanceUID = UID("1.2.3")
    colour = pixels.shape[-1] == 3
    made.Rows, made.Columns = pixels.shape[-3:-1] if colour else pixels.shape[-2:]
    made.SamplesPerPixel = 3 if colour else 1
    made.PhotometricInterpretation = "RGB" if colour else "MONOCHROME2"
    if colour:
        made.PlanarConfiguration = 0
    made.BitsAllocated = made.BitsStored = 8 * pixels.itemsize
    made.PixelRepresentation = int(pixels.dtype.kind == "i")
    made.PixelData = pixels.tobytes()
    for name, value in more.items():
        setattr(made, name, value)
    made.HighBit = made.BitsStored - 1
    if syntax == RLELossless and "PixelData" not in more:
        made.compress(RLELossless)
    made.file_meta.TransferSyntaxUID = syntax
    made["PixelData"].is_undefined_length = syntax.is_compressed and not syntax.is_deflated
    out = io.BytesIO()
    made.save_as(out, enforce_file_format=True)
    return out.getvalue()
