export async function list(): Promise<number> {
  return 0;
}
