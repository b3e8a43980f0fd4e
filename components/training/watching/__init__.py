"""What a training writes down: TensorBoard, MLflow, Comet, pictures, and a page."""
