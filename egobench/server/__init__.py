"""OpenAI-compatible servers: requests that are paced and tried again, replies that are read safely."""
