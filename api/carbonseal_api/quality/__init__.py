"""Data codes (数据红绿码) of an organisation, as its signed statements say."""
