"""The process at a site that reaches its endpoints."""
