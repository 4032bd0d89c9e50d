-- A text with `marks` and ${names}.
SELECT 'grüße';
