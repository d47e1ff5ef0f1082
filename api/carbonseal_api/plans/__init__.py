"""Monitoring plans (数据质量控制方案): versions, and which one is in force when."""
