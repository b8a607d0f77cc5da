"""Model files, which hold numbers and JSON and cannot run code; and export to ONNX."""

from multilayer.files.model_file import load_model, save_model
from multilayer.files.onnx import export_onnx

__all__ = ["export_onnx", "load_model", "save_model"]
