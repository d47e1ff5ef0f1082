"""Pages for people: one page per organisation, server-rendered, Chinese and English, nothing loaded from elsewhere."""
