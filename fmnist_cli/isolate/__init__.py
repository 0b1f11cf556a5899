"""The network that finds the garment in a photo: training and export of ``isolate.onnx``."""
