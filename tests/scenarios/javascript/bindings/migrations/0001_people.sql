-- Migration number: 0001
CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT NOT NULL, age INTEGER, score REAL, photo BLOB);
CREATE UNIQUE INDEX people_by_name ON people (name);
