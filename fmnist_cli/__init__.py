"""Train, export, serve and measure Fashion-MNIST classifiers behind one ONNX contract."""

__version__ = "0.1.0"
