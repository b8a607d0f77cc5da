"""Model files: one safetensors file, which holds numbers and JSON and cannot run code."""

from multilayer.files.model_file import load_model, save_model

__all__ = ["load_model", "save_model"]
