import { relations } from 'drizzle-orm';
import { blob, integer, primaryKey, real, sqliteTable, text } from 'drizzle-orm/sqlite-core';

export const authors = sqliteTable('authors', {
  id: integer().primaryKey({ autoIncrement: true }),
  name: text().notNull().unique(),
});

export const books = sqliteTable('books', {
  id: text().primaryKey(),
  authorId: integer('author_id').notNull().references(() => authors.id, { onDelete: 'cascade' }),
  title: text().notNull(),
  tags: text({ mode: 'json' }).$type<string[]>().notNull().default([]),
  price: real(),
  isLent: integer('is_lent', { mode: 'boolean' }).notNull().default(false),
  addedAt: integer('added_at', { mode: 'timestamp_ms' }).notNull(),
  shelf: text().default('A'),
});

export const loans = sqliteTable('loans', {
  bookId: text('book_id').notNull().references(() => books.id),
  reader: text().notNull(),
  cover: blob({ mode: 'buffer' }),
}, (table) => [primaryKey({ columns: [table.bookId, table.reader] })]);

export const authorsRelations = relations(authors, ({ many }) => ({ books: many(books) }));
export const booksRelations = relations(books, ({ one, many }) => ({
  author: one(authors, { fields: [books.authorId], references: [authors.id] }),
  loans: many(loans),
}));
export const loansRelations = relations(loans, ({ one }) => ({ book: one(books, { fields: [loans.bookId], references: [books.id] }) }));
