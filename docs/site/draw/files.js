// Where a file of the page lies: beside its scripts, or, where the page is one file, in HELD, which has it as an address.

export const file = (name) => self.HELD?.[name] ?? new URL(name, import.meta.url);
