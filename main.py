"""The program: `uvicorn main:app` serves it, `python main.py` is its command line."""

if __name__ == "__main__":
    try:
        from gql_app.cli import main
    except KeyboardInterrupt:
        raise SystemExit(130) from None
    main()
elif __name__ != "__mp_main__":  # as multiprocessing names it in the workers of `serve`
    from gql_app.app import create_app

    app = create_app()
