declare module 'postject' {
  /** Puts a resource into an executable, where Node looks for the program inside. */
  export function inject(
    file: string,
    name: string,
    data: Buffer,
    options: { readonly sentinelFuse: string },
  ): Promise<void>;
}
