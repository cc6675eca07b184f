"""The log, the artefacts and the signed heads on NATS JetStream: how they are written, read and put back."""
