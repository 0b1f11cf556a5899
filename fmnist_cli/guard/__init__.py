"""Making `guard.onnx`: a network that learns what the models know, and what they do not."""
