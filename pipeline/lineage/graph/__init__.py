"""Draws a graph of executions and artifacts: as text, Mermaid, DOT, SVG and a page."""
