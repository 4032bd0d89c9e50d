CREATE TABLE `loans` (
	`book_id` text NOT NULL,
	`reader` text NOT NULL,
	`cover` blob,
	PRIMARY KEY(`book_id`, `reader`),
	FOREIGN KEY (`book_id`) REFERENCES `books`(`id`) ON UPDATE no action ON DELETE no action
);
--> statement-breakpoint
ALTER TABLE `books` ADD `shelf` text DEFAULT 'A';
