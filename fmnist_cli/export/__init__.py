"""Fitted models → ONNX graphs that honour the contract, verified before they are written."""
