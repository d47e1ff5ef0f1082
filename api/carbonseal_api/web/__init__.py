"""Pages for people: one per organisation, server-rendered, in Chinese and English, self-contained."""
