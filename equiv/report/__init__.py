"""What people and other tools read: terminal text, JSON, pcapng, drawings. In: a `Result`. Out: text and files."""
