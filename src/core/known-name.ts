// The type of a parameter that takes one of the names of a table.

/**
 * The type of a parameter that takes one of the names `All`. A literal must be one of them, or it does not compile; a text
 * that only the program knows is checked at run time.
 */
export type KnownName<Name extends string, All extends string> = string extends Name
  ? Name
  : Name extends All
    ? Name
    : All;
