"""Reports: report.json (`report_json`), and the PDF rendered from it and its proofs (`report_pdf`).

Reading order: `report_json` fixes the bytes that are signed; `report_pdf` composes the pages; `pages`
holds what every page shares; `charts` draws; `wording` loads the Chinese and English catalogue; `fonts`
finds the typeface.
"""
