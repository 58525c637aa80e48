/** A case that does not hold. The message says what came, in the words of the table. */
export class Failed extends Error {}
