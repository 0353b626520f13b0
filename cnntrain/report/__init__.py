"""What people see: terminal, tables, TensorBoard, pictures."""
