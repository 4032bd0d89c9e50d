CREATE TABLE pets (id INTEGER PRIMARY KEY AUTOINCREMENT, person INTEGER REFERENCES people (id), name TEXT DEFAULT 'it; has a semicolon');
INSERT INTO people (name, age) VALUES ('first', 40);
