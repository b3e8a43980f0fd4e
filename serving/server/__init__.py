"""The embedded server: REST and gRPC as TF Serving speaks them, in one small process."""
