"""What activities and entities take and give: one place each, for those who ask and those who answer.

At run time they are plain dicts: histories, task hubs and the lake hold them as JSON. Fields that a contract does
not name are passed over.
"""
