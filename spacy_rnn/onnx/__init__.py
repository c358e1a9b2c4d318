"""Networks as ONNX graphs, which predict without torch."""
