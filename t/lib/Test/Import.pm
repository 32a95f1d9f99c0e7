package Test::Import;

# docs/import/im-import beside a site of Test::IM.
#
#     my $i = Test::Import->new($t);
#     is($i->run(load => '--url', $i->url, $i->file('x.jsonl', $i->batch(...))), 0);
#     $i->out;

use strict;
use warnings;

use Carp qw(croak);
use JSON::PP ();
use POSIX ();
use Test::More;

use Test::IM ();

our $DIR = "$Test::IM::ROOT/docs/import";
our $T = 1_795_000_000_000;     # times of batches are counted from here

my $json = JSON::PP->new->utf8->canonical;


sub new {
    my ($class, $t) = @_;
    return bless { t => $t }, $class;
}


sub url { return "http://127.0.0.1:" . ($_[1] || $_[0]{t})->port . '/im/' }

sub out { return $_[0]{out} }


# a line with these messages of a group: m1 is of the second member ...

sub batch {
    my ($self, $conv, $users, @n) = @_;
    return $json->encode({ conv_id => $conv, conv_type => 1, conv_users => $users,
        name => 'n', messages => [ map { { msg_id => "$conv/$_", msg_type => 0, msg => "m$_",
            from_id => $users->[$_ % @$users], from_time => $T + $_ } } @n ] });
}


sub file {
    my ($self, $name, @lines) = @_;
    return $self->{t}->write_file($name, join '', map { "$_\n" } @lines);
}


# all texts of a conversation, from the oldest

sub walk {
    my ($self, $conv) = @_;
    my ($after, @all) = ('');
    while (1) {
        my $page = $self->{t}->page($conv, after => $after, page_size => 200);
        return @all if !@$page;
        push @all, map { $_->{msg} } reverse @$page;
        $after = $page->[0]{msg_id};
    }
}


sub start {
    my ($self, @args) = @_;
    my $pid = fork // croak "fork: $!";
    return $pid if $pid;
    setpgrp;
    $SIG{$_} = 'DEFAULT' for qw(INT TERM HUP);
    open STDOUT, '>', $self->{t}->dir . '/tool.out';
    open STDERR, '>&', \*STDOUT;
    exec "$DIR/im-import", @args or POSIX::_exit(127);
}


# the exit status; out() has what was printed

sub run {
    my ($self, @args) = @_;
    push @args, '--patience', 60
        if $args[0] =~ /^(?:load|export)$/ && !grep { $_ eq '--patience' } @args;
    my $pid = $self->start(@args);
    waitpid $pid, 0;
    my $status = $? >> 8;
    $self->{out} = Test::IM::slurp($self->{t}->dir . '/tool.out');
    diag($self->{out}) if $self->{out} =~ / at \S+ line \d/;
    return $status;
}


1;
