-- Runs once, when the volume of PostgreSQL is made: a role and its databases for Rota, and for Temporal.
\getenv rota PASSWORD_ROTA
\getenv temporal PASSWORD_TEMPORAL
CREATE ROLE rota LOGIN PASSWORD :'rota';
CREATE ROLE temporal LOGIN PASSWORD :'temporal';
CREATE DATABASE rota OWNER rota;
CREATE DATABASE temporal OWNER temporal;
CREATE DATABASE temporal_visibility OWNER temporal;
