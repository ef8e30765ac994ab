"""What makes a message public: its header fields, its reports and its calendars without internal addresses."""
