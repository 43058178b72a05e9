/** The beginning of a text. It does not end inside of what people take for one character, if there is a choice. */
export function previewOf(text: string): string;
