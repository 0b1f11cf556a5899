"""Making `guard.onnx`, the out-of-distribution detector."""
