/* empty.c - does nothing: what any program costs to start, linked in one way or another. */
int main(void)
{
	return 0;
}
