"""Grafana's dashboards as code: what renders plugins/plugin_utils/monitoring/dashboards/*.json.

``make dashboards`` writes those files. A development folder: the collection ships the files, so
that nobody who uses it needs the SDK.
"""
