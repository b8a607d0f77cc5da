"""Where samples come from, and how they reach a network batch by batch."""

from multilayer.data import toy
from multilayer.data.batches import Batches
from multilayer.data.blocks import Blocks, read_blocks
from multilayer.data.date_format import DateFormat
from multilayer.data.digits import Digits, load_digits
from multilayer.data.entries import Entries
from multilayer.data.feature_maps import (
    FeatureMap,
    FourierFeatures,
    RadialBasisFeatures,
)
from multilayer.data.files import read_file
from multilayer.data.fingerprint import fingerprint
from multilayer.data.idx import read_idx, write_idx
from multilayer.data.images import ScaledImages
from multilayer.data.mnist import IMAGE_SETS, ImageData, ImageSet, load_images
from multilayer.data.notation import Notation
from multilayer.data.notes import Note, TableWarning
from multilayer.data.sparse import SparseSamples
from multilayer.data.split import split_validation
from multilayer.data.stream import Stream
from multilayer.data.survey import Survey
from multilayer.data.table import Table, read_table
from multilayer.data.tally import Tally

__all__ = [
    "IMAGE_SETS",
    "Batches",
    "Blocks",
    "DateFormat",
    "Digits",
    "Entries",
    "FeatureMap",
    "FourierFeatures",
    "ImageData",
    "ImageSet",
    "Notation",
    "Note",
    "RadialBasisFeatures",
    "ScaledImages",
    "SparseSamples",
    "Stream",
    "Survey",
    "Table",
    "TableWarning",
    "Tally",
    "fingerprint",
    "load_digits",
    "load_images",
    "read_blocks",
    "read_file",
    "read_idx",
    "read_table",
    "split_validation",
    "toy",
    "write_idx",
]
