"""nbgrader's view of the course; `make release`, `make author` and grading all read it."""

c = get_config()  # nbgrader defines it

c.CourseDirectory.course_id = "mechcourse"
c.CourseDirectory.source_directory = "solutions"
c.CourseDirectory.release_directory = "course"

c.ClearSolutions.code_stub = {"python": "raise NotImplementedError"}
c.ClearSolutions.text_stub = "*Your answer here.*"
c.ClearSolutions.enforce_metadata = True  # a solution outside an answer cell stops the release

c.ExecutePreprocessor.timeout = 30  # seconds a cell
