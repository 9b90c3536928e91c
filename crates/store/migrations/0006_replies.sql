-- What a vehicle replies to a command beside words: values for programs (JSON), and a longer text such as its log.
ALTER TABLE command ADD COLUMN result TEXT;
ALTER TABLE command ADD COLUMN text TEXT;
