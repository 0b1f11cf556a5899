"""Models of classes of one's own: labelled pictures → features → a head → one ONNX file."""
