"""Trees grown from summed histograms: bins, nodes, splits, prediction, estimators, ONNX."""
